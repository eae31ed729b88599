/**
 * `start` and `restart`: a container that is there runs again.
 */
import { filterOf } from "../isolation/seccomp/filter.ts";
import { monotonicMs } from "../linux/clock.ts";
import { type Again, planAgain, prepareAgain } from "./again.ts";
import { capabilitiesOf } from "./compose.ts";
import { currentState, type StopOptions, stopContainer } from "./control.ts";
import type { Emit } from "./events.ts";
import type { StateRoot } from "./paths.ts";
import { runDetached, runForeground } from "./run.ts";

/** Starts it, in the foreground or not as it is planned. Returns the exit code; 0 if it goes on in the background. */
export function startAgain(root: StateRoot, again: Again, emit: Emit): number {
  const startMs = monotonicMs();
  const filter = filterOf(again.seccomp, capabilitiesOf(again.options));
  const { options } = again;
  const request = { root, options, prepare: (emit: Emit) => prepareAgain(root, again, emit), filter, emit, startMs };
  if (!options.detach) return runForeground(request);
  runDetached(request);
  return 0;
}

/** Ends a container, if it runs, and starts it again in the background. */
export function restartContainer(root: StateRoot, id: string, options: StopOptions, emit: Emit): void {
  // Before it is ended: of one that cannot be started again nothing would be left.
  const again = planAgain(root, currentState(root, id), { attach: false, interactive: true });
  stopContainer(root, id, options);
  startAgain(root, again, emit);
}
