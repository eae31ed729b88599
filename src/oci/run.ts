/**
 * `run`: makes and starts a container; without `--detach` it stays with it until it ends, and removes it.
 */

import { plainStreams } from "../container/streams.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { sendSignal, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import { attend } from "./attend.ts";
import { MAKE_FLAGS, madeAsAsked } from "./create.ts";
import { finish } from "./delete.ts";
import type { Globals } from "./globals.ts";
import { stateText } from "./hooked.ts";
import { type Made, type MakeOptions, make } from "./make.ts";
import { programName } from "./name.ts";
import { lockRecord, readRecord } from "./record.ts";

const FLAGS = {
  ...MAKE_FLAGS,
  detach: toggle("d", "Return once the container runs"),
  keep: toggle("", "Do not remove the container at its end"),
} as const;

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("run", FLAGS, argv, { program: programName() });
  const id = oneId("run", rest);
  const detached = flags.detach === true;
  const options: MakeOptions = { id, ...madeAsAsked(flags), waits: false, attached: !detached };
  if (detached) {
    runPoststart(make(options, globals), globals);
    return 0;
  }
  using loop = new EventLoop();
  using streams = plainStreams();
  const made = make({ ...options, streams: streams.fds }, globals);
  runPoststart(made, globals);
  const code = attend({ ...made, streams, loop });
  made.child.pidfd.close();
  if (flags.keep !== true) removeMade(made, globals);
  return code;
}

/** Unless somebody has removed it, and perhaps made another of that id. */
function removeMade({ record, bundle }: Made, globals: Globals): void {
  using lock = lockRecord(globals.root, record.id);
  if (lock !== undefined && readRecord(globals.root, record.id)?.created === record.created) {
    // Its first process has been reaped.
    const { init: _, ...left } = record;
    finish(globals, left, bundle.spec);
  }
}

/** If one fails, the container is ended and removed, and that is the command's error: runtime.md#lifecycle. */
function runPoststart(made: Made, globals: Globals): void {
  const { hooked, bundle, record, child } = made;
  try {
    hooked?.run("poststart", bundle.spec.hooks?.poststart ?? [], stateText(bundle.spec, record, "running", child.pid));
  } catch (error) {
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    removeMade(made, globals);
    throw error;
  }
}
