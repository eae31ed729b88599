/**
 * argv -> a command, loaded when it is called; errors -> one line and an exit status.
 */
import { EXIT, Failure, nearestOf } from "../failure.ts";
import { args } from "../linux/door.ts";
import { exit } from "../linux/process.ts";
import { line } from "../term/output.ts";
import { VERSION } from "../term/version.ts";
import type { Command } from "./command.ts";
import * as exec from "./exec.ts";
import { report } from "./report.ts";
import * as run from "./run.ts";

interface Entry {
  readonly help: string;
  readonly load: () => Command | Promise<Command>;
}

/** Name -> what it does, and how it is loaded. All are in the snapshot; `import` takes turns of the engine's queue. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  run: { help: "Make a container from an image and run a command in it", load: () => run },
  create: { help: "Make a container, to be run by 'start'", load: () => import("./create.ts") },
  start: { help: "Run containers that were made, or have ended", load: () => import("./start.ts") },
  restart: { help: "End containers, and start them again", load: () => import("./restart.ts") },
  pause: { help: "Have all processes of containers stand still", load: () => import("./pause.ts") },
  unpause: { help: "Have the processes of paused containers go on", load: () => import("./unpause.ts") },
  attach: { help: "Stay in front of a container that runs in the background", load: () => import("./attach.ts") },
  exec: { help: "Run a command in a running container", load: () => exec },
  healthcheck: { help: "Check a container's health: run", load: () => import("./healthcheck.ts") },
  ps: { help: "List containers", load: () => import("./ps.ts") },
  top: { help: "Show the processes of a container", load: () => import("./top.ts") },
  port: { help: "Show where a container's ports are on the host", load: () => import("./port.ts") },
  stats: { help: "Show what containers use", load: () => import("./stats.ts") },
  logs: { help: "Show what a detached container has written", load: () => import("./logs.ts") },
  stop: { help: "Ask containers to end, and kill them if they do not", load: () => import("./stop.ts") },
  kill: { help: "Send a signal to containers", load: () => import("./kill.ts") },
  rm: { help: "Remove containers", load: () => import("./rm.ts") },
  update: { help: "Change limits of containers", load: () => import("./update.ts") },
  rename: { help: "Give a container another name", load: () => import("./rename.ts") },
  wait: { help: "Wait for containers to end, and print their exit codes", load: () => import("./wait.ts") },
  cp: { help: "Copy files between a container and the host", load: () => import("./cp.ts") },
  commit: { help: "Make an image of what a container has changed", load: () => import("./commit.ts") },
  diff: { help: "Show what a container has changed", load: () => import("./diff.ts") },
  export: { help: "Write all files of a container to an archive", load: () => import("./export.ts") },
  inspect: { help: "Show all about containers and images, as JSON", load: () => import("./inspect.ts") },
  build: { help: "Make an image by a Dockerfile", load: () => import("./build.ts") },
  pull: { help: "Download images from a registry", load: () => import("./pull.ts") },
  search: { help: "Search a registry for images", load: () => import("./search.ts") },
  push: { help: "Upload an image to a registry", load: () => import("./push.ts") },
  login: { help: "Tell a registry who you are", load: () => import("./login.ts") },
  logout: { help: "Forget who you are for a registry", load: () => import("./logout.ts") },
  images: { help: "List images", load: () => import("./images.ts") },
  import: { help: "Make an image from an archive of a root file system", load: () => import("./import.ts") },
  load: { help: "Load images from an archive", load: () => import("./load.ts") },
  save: { help: "Write images to an archive", load: () => import("./save.ts") },
  history: { help: "Show how an image was made", load: () => import("./history.ts") },
  tag: { help: "Give an image another name", load: () => import("./tag.ts") },
  rmi: { help: "Remove images", load: () => import("./rmi.ts") },
  system: {
    help: "Show, check and clean up what is on disk: df, info, check, prune",
    load: () => import("./system.ts"),
  },
  info: { help: "Show what this host has, and what is here", load: () => import("./info.ts") },
  version: { help: "Show the version", load: () => import("./version.ts") },
  ...groups(),
};

/** `image ls`, `container rm`, ...: commands by the names that docker has for them as well. */
function groups(): Record<string, Entry> {
  const entry = (group: "image" | "container" | "network" | "volume" | "builder", help: string) => ({
    help,
    load: async () => {
      const { runGroup } = await import("./groups.ts");
      const call = async (name: string, argv: readonly string[]): Promise<number> => {
        const command = await COMMANDS[name]?.load();
        return command === undefined ? EXIT.own : command.run(argv);
      };
      return { run: (argv: readonly string[]) => runGroup(group, argv, call) };
    },
  });
  return {
    image: entry("image", "Commands for images: ls, rm, prune, ..."),
    container: entry("container", "Commands for containers: ls, rm, prune, ..."),
    network: entry("network", "Commands for networks: ls, inspect, prune"),
    volume: entry("volume", "Commands for volumes: create, ls, rm, prune, ..."),
    builder: entry("builder", "Commands for builds: build, prune"),
  };
}

function usage(): string[] {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length)) + 3;
  return [
    "Usage: mycontainer [--debug] COMMAND [FLAGS] ...",
    "",
    "Commands:",
    ...Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(width)}${help}`),
    "",
    "Flags:",
    "      --debug     Tell of errors all that is known, with the place in the program",
    "  -v, --version   Print the version",
    "",
    "'mycontainer COMMAND --help' tells the flags of a command.",
  ];
}

export async function main(): Promise<void> {
  const debug = args[1] === "--debug";
  const [first, ...rest] = args.slice(debug ? 2 : 1);
  const [subject] = rest;
  if (first === "help" && subject !== undefined) return exit(await runCommand(subject, ["--help"], debug));
  switch (first) {
    case "--version":
    case "-v":
      line(`mycontainer ${VERSION}`);
      return exit(0);
    case undefined:
    case "help":
    case "--help":
    case "-h":
      for (const text of usage()) line(text);
      return exit(first === undefined ? EXIT.own : 0);
    default:
      return exit(await runCommand(first, rest, debug));
  }
}

async function runCommand(name: string, argv: readonly string[], debug: boolean): Promise<number> {
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command === undefined) throw unknownCommand(name);
    const { run } = await command.load();
    return await run(argv);
  } catch (error) {
    return report(error, debug);
  }
}

function unknownCommand(name: string): Failure {
  const what = name.startsWith("-") ? "flag" : "command";
  const nearest = nearestOf(name, Object.keys(COMMANDS));
  return new Failure(`unknown ${what} '${name}'`, {
    hint: nearest === undefined ? "'mycontainer help' lists the commands" : `did you mean 'mycontainer ${nearest}'?`,
  });
}
