/**
 * A container that runs, for commands that run something in it.
 */
import { containerPaths, stateRoot } from "../container/paths.ts";
import { isPaused } from "../container/pause.ts";
import { endForsakenPause } from "../container/standstill.ts";
import { type ContainerState, findContainer, isRunning, type ProcessName, readState } from "../container/state.ts";
import { Failure } from "../failure.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { readText } from "../linux/hostpath.ts";
import type { Spec } from "../spec/config.ts";
import { parseExact } from "../spec/json.ts";

/** Throws a Failure if it is not there, or does not run. */
export function runningContainer(name: string): {
  readonly state: ContainerState;
  readonly init: ProcessName;
  readonly spec: Spec;
} {
  const root = stateRoot();
  // The state is taken as it is, and not reconciled first: whether the process that it names runs is all that counts here.
  const state = readState(root, findContainer(root, name));
  if (state === undefined)
    throw new Failure(`no container '${name}' here`, { hint: "'mycontainer ps -a' lists those that there are" });
  if (state.status !== "running" || state.init === undefined || !isRunning(state.init)) {
    throw new Failure(`container '${state.name}' is not running`, {
      hint: "'mycontainer ps -a' shows what became of it",
    });
  }
  // Perhaps by a commit that was killed.
  if (isPaused(state)) endForsakenPause(root, state);
  if (isPaused(state)) {
    throw new Failure(`container '${state.name}' is paused`, { hint: `first: mycontainer unpause ${state.name}` });
  }
  // Ours, written by `run`.
  const spec = parseExact(readText(containerPaths(root, state.id).config)) as Spec;
  return { state, init: state.init, spec };
}

/** The filter that the container's own programs have. */
export function seccompOf(state: ContainerState, spec: Spec): SeccompChoice {
  const profile = spec.linux?.seccomp;
  if (state.seccomp === "none") return { kind: "none" };
  return state.seccomp === "profile" && profile !== undefined ? { kind: "profile", profile } : { kind: "default" };
}
