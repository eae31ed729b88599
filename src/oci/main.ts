/**
 * `mycontainer-runtime`: argv -> a command of the OCI runtime command line. All are imported at once, and nothing here is asynchronous: all
 * modules are in the snapshot anyway, and to wait takes turns of the engine's queue.
 */

import { Failure, nearestOf } from "../failure.ts";
import { args } from "../linux/door.ts";
import { exit } from "../linux/process.ts";
import type { Flags } from "../term/flags.ts";
import { line } from "../term/output.ts";
import { COMMIT, VERSION } from "../term/version.ts";
import * as checkpoint from "./checkpoint.ts";
import * as create from "./create.ts";
import * as remove from "./delete.ts";
import * as events from "./events.ts";
import * as exec from "./exec.ts";
import * as features from "./features-command.ts";
import { type Globals, parseGlobals } from "./globals.ts";
import { tellCommands, tellIfAsked } from "./help.ts";
import * as kill from "./kill.ts";
import * as list from "./list.ts";
import { programName } from "./name.ts";
import * as pause from "./pause.ts";
import * as ps from "./ps.ts";
import { EXIT_FAILED, reportError } from "./report.ts";
import * as restore from "./restore.ts";
import * as resume from "./resume.ts";
import * as run from "./run.ts";
import * as spec from "./spec.ts";
import * as start from "./start.ts";
import * as state from "./state.ts";
import * as update from "./update.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

/** A command: takes the arguments after its name, returns the exit status. */
export interface Command {
  readonly help: { readonly usage: string; readonly flags: Flags };
  readonly run: (argv: readonly string[], globals: Globals) => number;
}

interface Entry {
  readonly help: string;
  /** What stands before its errors. */
  readonly prefix?: string;
  /** The exit status of its own failures, where that of the program is passed on. */
  readonly failed?: number;
  readonly command: Command;
}

const FAILED_EXEC = 255;

const COMMANDS: Readonly<Record<string, Entry>> = {
  create: { help: "Make a container from a bundle", prefix: "create failed: ", command: create },
  start: { help: "Start a container that was made", command: start },
  run: { help: "Make and start a container", prefix: "run failed: ", command: run },
  state: { help: "Print the state of a container", command: state },
  kill: { help: "Send a signal to a container", command: kill },
  delete: { help: "Remove a container", command: remove },
  exec: {
    help: "Run another program in a container",
    prefix: "exec failed: ",
    failed: FAILED_EXEC,
    command: exec,
  },
  list: { help: "List containers", command: list },
  ps: { help: "List the processes of a container", command: ps },
  pause: { help: "Have all processes of a container stand still", command: pause },
  resume: { help: "Have the processes of a paused container go on", command: resume },
  update: { help: "Change the limits of a container", command: update },
  events: { help: "Tell what a container uses, and when memory runs out", command: events },
  checkpoint: { help: "Write a running container to disk, by criu", command: checkpoint },
  restore: { help: "Make a container anew from a checkpoint", command: restore },
  spec: { help: "Write a config.json to begin with", command: spec },
  features: { help: "Tell what this runtime can do", command: features },
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

export function main(): void {
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
      else tellCommands(COMMANDS);
      return exit(0);
    }
    const [name = "", ...argv] = rest;
    entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    const mayBeHelp = argv.includes("--help") || argv.includes("-h");
    if (entry === undefined) throw unknownCommand(name, mayBeHelp);
    // What comes after the first word may be the program's.
    if (mayBeHelp && tellIfAsked(name, entry.help, entry.command, argv)) return exit(0);
    return exit(entry.command.run(argv, globals));
  } catch (error) {
    reportError(globals, entry?.prefix ?? "", error);
    return exit(entry?.failed ?? EXIT_FAILED);
  }
}
