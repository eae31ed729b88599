/**
 * Staying with a program in the foreground, to its end: what `run` and `exec` do without `--detach`.
 */
import { connectTerminal, type ForegroundStreams } from "../container/streams.ts";
import { supervise } from "../container/supervise.ts";
import type { EventLoop } from "../linux/eventloop.ts";
import type { Handle } from "../linux/fd.ts";
import { type Child, exitCodeOf } from "../linux/process.ts";

export interface Attended {
  readonly child: Child;
  /** The master of its terminal, if it has one; else it has `streams`. */
  readonly terminal: Handle | undefined;
  readonly streams: ForegroundStreams;
  readonly loop: EventLoop;
  /** The blocked signals that are passed on to it. */
  readonly signals: readonly number[];
}

/** Returns the program's exit code, as a shell tells it. */
export function attend({ child, terminal, streams, loop, signals }: Attended): number {
  if (terminal === undefined) {
    streams.started(loop);
    const ending = supervise({ child, loop, signals, forward: true });
    streams.finish();
    return exitCodeOf(ending);
  }
  using session = connectTerminal(loop, terminal, true);
  const ending = supervise({ child, loop, signals, forward: true, resized: () => session.resize() });
  session.finish();
  return exitCodeOf(ending);
}
