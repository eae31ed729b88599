/**
 * `pause` and `unpause`: all processes of a container stand still, and go on.
 */
import { freeze, isFrozen, thaw } from "../cgroup/freeze.ts";
import { Failure } from "../failure.ts";
import { currentState } from "./control.ts";
import type { StateRoot } from "./paths.ts";
import type { ContainerState } from "./state.ts";

/** Whether a container runs, and its processes stand still. */
export function isPaused({ status, cgroupPath }: Pick<ContainerState, "status" | "cgroupPath">): boolean {
  if (status !== "running") return false;
  try {
    return isFrozen(cgroupPath);
  } catch (error) {
    // Hosts without a freezer pause nothing.
    if (error instanceof Failure) return false;
    throw error;
  }
}

/** A container's status as docker tells it. */
export function shownStatus(state: Pick<ContainerState, "status" | "cgroupPath">): ShownStatus {
  if (state.status === "creating") return "created";
  return isPaused(state) ? "paused" : state.status;
}

export type ShownStatus = "created" | "running" | "paused" | "exited";

function runningState(root: StateRoot, id: string): ContainerState {
  const state = currentState(root, id);
  if (state.status === "running") return state;
  throw new Failure(`container '${state.name}' is not running`, {
    hint: "'mycontainer ps -a' shows what became of it",
  });
}

export function pauseContainer(root: StateRoot, id: string): void {
  const state = runningState(root, id);
  if (isPaused(state)) throw new Failure(`container '${state.name}' is paused already`);
  freeze(state.cgroupPath);
}

export function unpauseContainer(root: StateRoot, id: string): void {
  const state = runningState(root, id);
  if (!isPaused(state)) throw new Failure(`container '${state.name}' is not paused`);
  thaw(state.cgroupPath);
}
