/**
 * `run`: makes and starts a container; without `--detach` it stays with it until it ends, and removes it.
 */

import { plainStreams } from "../container/streams.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import { attend } from "./attend.ts";
import { MAKE_FLAGS, madeAsAsked } from "./create.ts";
import { finish } from "./delete.ts";
import type { Globals } from "./globals.ts";
import { stateText } from "./hooked.ts";
import { type Made, type MakeOptions, make } from "./make.ts";
import { lockRecord, readRecord } from "./record.ts";

const FLAGS = {
  ...MAKE_FLAGS,
  detach: toggle("d", "Return once the container runs"),
  keep: toggle("", "Do not remove the container at its end"),
} as const;

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export async function run(argv: readonly string[], globals: Globals): Promise<number> {
  const { flags, rest } = parseFlags("run", FLAGS, argv, { program: "mycontainer-runtime" });
  const id = oneId("run", rest);
  const detached = flags.detach === true;
  const options: MakeOptions = { id, ...madeAsAsked(flags), waits: false, attached: !detached };
  if (detached) {
    const made = await make(options, globals);
    runPoststart(made);
    return 0;
  }
  using loop = new EventLoop();
  using streams = plainStreams();
  const made = await make({ ...options, streams: streams.fds }, globals);
  runPoststart(made);
  const code = attend({ ...made, streams, loop });
  made.child.pidfd.close();
  if (flags.keep !== true) {
    using lock = lockRecord(globals.root, id);
    // Unless somebody has removed it, and perhaps made another of that id.
    if (lock !== undefined && readRecord(globals.root, id)?.created === made.record.created) {
      // Its first process has been reaped.
      const { init: _, ...left } = made.record;
      await finish(globals, left, made.bundle.spec);
    }
  }
  return code;
}

function runPoststart({ hooked, bundle, record, child }: Made): void {
  hooked?.run("poststart", bundle.spec.hooks?.poststart ?? [], stateText(bundle.spec, record, "running", child.pid));
}
