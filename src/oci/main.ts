/**
 * `mycontainer-runtime`: argv -> a command of the OCI runtime command line. All are in the snapshot; those that engines wait for
 * are imported at once, since each import(...) takes some turns of the engine's queue.
 */

import { Failure, nearestOf } from "../failure.ts";
import { args } from "../linux/door.ts";
import { exit } from "../linux/process.ts";
import type { Flags } from "../term/flags.ts";
import { line } from "../term/output.ts";
import { COMMIT, VERSION } from "../term/version.ts";
import * as create from "./create.ts";
import * as remove from "./delete.ts";
import * as exec from "./exec.ts";
import { type Globals, parseGlobals } from "./globals.ts";
import * as kill from "./kill.ts";
import { programName } from "./name.ts";
import { EXIT_FAILED, reportError } from "./report.ts";
import * as run from "./run.ts";
import * as start from "./start.ts";
import * as state from "./state.ts";
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
  readonly load: () => Command | Promise<Command>;
}

const FAILED_EXEC = 255;

const COMMANDS: Readonly<Record<string, Entry>> = {
  create: { help: "Make a container from a bundle", prefix: "create failed: ", load: () => create },
  start: { help: "Start a container that was made", load: () => start },
  run: { help: "Make and start a container", prefix: "run failed: ", load: () => run },
  state: { help: "Print the state of a container", load: () => state },
  kill: { help: "Send a signal to a container", load: () => kill },
  delete: { help: "Remove a container", load: () => remove },
  exec: {
    help: "Run another program in a container",
    prefix: "exec failed: ",
    failed: FAILED_EXEC,
    load: () => exec,
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

function tellVersion(): void {
  line(`${programName()} version ${VERSION}`);
  // Docker looks for the three lines by these words.
  line(`commit: ${COMMIT ?? "unknown"}`);
  line(`spec: ${OCI_VERSION_MAX}`);
}

/** @param isHelp whether it is its help that is asked for: those who know runc look for its words then */
function unknownCommand(name: string, isHelp: boolean): Failure {
  const nearest = nearestOf(name, Object.keys(COMMANDS));
  return new Failure(isHelp ? `No help topic for '${name}'` : `no such command: '${name}'`, {
    hint: nearest === undefined ? `'${programName()} --help' lists the commands` : `did you mean '${nearest}'?`,
  });
}

export async function main(): Promise<void> {
  let globals: Globals = {
    root: "",
    rootIsNamed: false,
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
      else (await import("./help.ts")).tellCommands(COMMANDS);
      return exit(0);
    }
    const [name = "", ...argv] = rest;
    entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    const mayBeHelp = argv.includes("--help") || argv.includes("-h");
    if (entry === undefined) throw unknownCommand(name, mayBeHelp);
    const command = await entry.load();
    // What comes after the first word may be the program's.
    if (mayBeHelp && (await import("./help.ts")).tellIfAsked(name, entry.help, command, argv)) return exit(0);
    return exit(await command.run(argv, globals));
  } catch (error) {
    reportError(globals, entry?.prefix ?? "", error);
    return exit(entry?.failed ?? EXIT_FAILED);
  }
}
