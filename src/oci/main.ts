/**
 * `mycontainer-runtime`: argv -> a command of the OCI runtime command line, loaded when it is called.
 */

import { Failure, nearestOf } from "../failure.ts";
import { args } from "../linux/door.ts";
import { exit } from "../linux/process.ts";
import type { Flags } from "../term/flags.ts";
import { line } from "../term/output.ts";
import { VERSION } from "../term/version.ts";
import { GLOBAL_FLAGS, type Globals, parseGlobals } from "./globals.ts";
import { EXIT_FAILED, reportError } from "./report.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

/** A command: takes the arguments after its name, returns the exit status. */
export interface Command {
  readonly help: { readonly usage: string; readonly flags: Flags };
  readonly run: (argv: readonly string[], globals: Globals) => number | Promise<number>;
}

interface Entry {
  readonly help: string;
  /** What stands before its errors. */
  readonly prefix?: string;
  /** The exit status of its own failures, where that of the program is passed on. */
  readonly failed?: number;
  readonly load: () => Promise<Command>;
}

const PROGRAM = "mycontainer-runtime";
const FAILED_EXEC = 255;

const COMMANDS: Readonly<Record<string, Entry>> = {
  create: { help: "Make a container from a bundle", prefix: "create failed: ", load: () => import("./create.ts") },
  start: { help: "Start a container that was made", load: () => import("./start.ts") },
  run: { help: "Make and start a container", prefix: "run failed: ", load: () => import("./run.ts") },
  state: { help: "Print the state of a container", load: () => import("./state.ts") },
  kill: { help: "Send a signal to a container", load: () => import("./kill.ts") },
  delete: { help: "Remove a container", load: () => import("./delete.ts") },
  exec: {
    help: "Run another program in a container",
    prefix: "exec failed: ",
    failed: FAILED_EXEC,
    load: () => import("./exec.ts"),
  },
  list: { help: "List containers", load: () => import("./list.ts") },
  ps: { help: "List the processes of a container", load: () => import("./ps.ts") },
  pause: { help: "Have all processes of a container stand still", load: () => import("./pause.ts") },
  resume: { help: "Have the processes of a paused container go on", load: () => import("./resume.ts") },
  update: { help: "Change the limits of a container", load: () => import("./update.ts") },
  events: { help: "Tell what a container uses, and when memory runs out", load: () => import("./events.ts") },
  checkpoint: { help: "Write a running container to disk, by criu", load: () => import("./checkpoint.ts") },
  restore: { help: "Make a container anew from a checkpoint", load: () => import("./restore.ts") },
  spec: { help: "Write a config.json to begin with", load: () => import("./spec.ts") },
  features: { help: "Tell what this runtime can do", load: () => import("./features-command.ts") },
};

function usage(): string[] {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length)) + 3;
  return [
    "Usage: mycontainer-runtime [GLOBAL FLAGS] COMMAND [FLAGS] ...",
    "",
    "Commands:",
    ...Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(width)}${help}`),
    "",
    "Global flags:",
    ...Object.entries(GLOBAL_FLAGS).map(([name, flag]) => {
      const left = flag.kind === "toggle" ? `--${name}` : `--${name} ${flag.placeholder}`;
      return `  ${left.padEnd(width + 18)}${flag.help}`;
    }),
  ];
}

function tellVersion(): void {
  line(`mycontainer-runtime version ${VERSION}`);
  line(`spec: ${OCI_VERSION_MAX}`);
}

/** Tells the flags of a command and ends, if that is asked for: what comes after the first word may be the program's. */
async function tellHelp(name: string, entry: Entry, { help }: Command, argv: readonly string[]): Promise<void> {
  const { isHelp, printHelp } = await import("../term/help.ts");
  if (!isHelp(argv, help.flags, { stopAtFirstWord: true })) return;
  exit(printHelp(name, help.usage, `${entry.help}.`, help.flags, PROGRAM));
}

function unknownCommand(name: string): Failure {
  const nearest = nearestOf(name, Object.keys(COMMANDS));
  return new Failure(`no such command: '${name}'`, {
    hint: nearest === undefined ? `'${PROGRAM} --help' lists the commands` : `did you mean '${nearest}'?`,
  });
}

export async function main(): Promise<void> {
  let globals: Globals = {
    root: "",
    log: undefined,
    logFormat: "text",
    debug: false,
    cgroups: "files",
    rootless: false,
  };
  let entry: Entry | undefined;
  try {
    const { tell, rest, ...parsed } = parseGlobals(args.slice(1));
    globals = parsed.globals;
    if (tell !== undefined) {
      if (tell === "version") tellVersion();
      else for (const text of usage()) line(text);
      return exit(0);
    }
    const [name = "", ...argv] = rest;
    entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (entry === undefined) throw unknownCommand(name);
    const command = await entry.load();
    if (argv.includes("--help") || argv.includes("-h")) await tellHelp(name, entry, command, argv);
    return exit(await command.run(argv, globals));
  } catch (error) {
    reportError(globals, entry?.prefix ?? "", error);
    return exit(entry?.failed ?? EXIT_FAILED);
  }
}
