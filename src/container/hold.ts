/**
 * Containers that do not run, held by their lock, so that nobody starts, changes or removes them meanwhile.
 */
import type { Handle } from "../linux/fd.ts";
import { awaitChange } from "./await-change.ts";
import { currentState } from "./control.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { type ContainerState, isIdle, lockDirectory } from "./state.ts";

/** The state of a container; of one that does not run with its lock, for which whoever has it just now is waited for. */
export function holdState(root: StateRoot, id: string): { readonly state: ContainerState; readonly lock?: Handle } {
  for (;;) {
    const { status } = currentState(root, id);
    const { directory } = containerPaths(root, id);
    const lock = isIdle({ status }) ? lockDirectory(directory) : undefined;
    if (lock === undefined && isIdle({ status })) {
      awaitChange(directory);
      continue;
    }
    // It may have been removed, or started, before it was locked.
    const state = currentState(root, id);
    if (state.status === status) return lock === undefined ? { state } : { state, lock };
    lock?.close();
  }
}
