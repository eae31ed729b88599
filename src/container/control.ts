/**
 * What is done to containers that run or have run: stop, kill, rm, wait.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { lockShared } from "../linux/flock.ts";
import { O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, openHost } from "../linux/hostpath.ts";
import { readAllText } from "../linux/io.ts";
import { waitReadable } from "../linux/poll.ts";
import { openPidfd, sendSignal } from "../linux/process.ts";
import { parseSignal, SIG } from "../linux/signal.ts";
import { reconcile, releaseResources, removeFiles, signalAlive, waitForLock } from "./destroy.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { type ContainerState, isRunning, lockDirectory, readState } from "./state.ts";
import { removeOwnVolumes } from "./volumes.ts";

/** The state of a container as it really is: what died half way has been finished first. */
export function currentState(root: StateRoot, id: string): ContainerState {
  reconcile(root, id);
  const state = readState(root, id);
  if (state === undefined)
    throw new Failure(`container '${id}' is gone`, { hint: "'mycontainer ps -a' lists those that there are" });
  return state;
}

/** A descriptor of the container's first process, or undefined if it does not run. */
function openInit(state: ContainerState): Handle | undefined {
  if (state.init === undefined || state.status !== "running") return undefined;
  const pidfd = openPidfd(state.init.pid);
  if (pidfd !== undefined && isRunning(state.init)) return pidfd;
  pidfd?.close();
  return undefined;
}

function signalNumber(text: string): number {
  const number = parseSignal(text);
  if (number === undefined)
    throw new Failure(`unknown signal '${text}'`, { hint: "use a name or a number, as in TERM or 15" });
  return number;
}

/** Sends a signal to the container's first process. */
export function signalContainer(root: StateRoot, id: string, signal: string): void {
  const number = signalNumber(signal);
  const state = currentState(root, id);
  using init = openInit(state);
  if (init === undefined) throw new Failure(`container '${state.name}' is not running`);
  sendSignal(init.fd, number);
}

export interface StopOptions {
  readonly signal?: string | undefined;
  /** Seconds until it is killed; negative: never. */
  readonly timeoutSeconds?: number | undefined;
}

/** Asks the container to end, kills it if it does not, and waits until its supervisor has cleaned up. */
export function stopContainer(root: StateRoot, id: string, options: StopOptions = {}): void {
  const state = currentState(root, id);
  const signal = signalNumber(options.signal ?? state.stopSignal);
  const timeoutSeconds = options.timeoutSeconds ?? state.stopTimeoutSeconds;
  using init = openInit(state);
  if (init !== undefined) {
    signalAlive(init.fd, signal, state.cgroupPath);
    const timeoutMs = timeoutSeconds < 0 ? Number.MAX_SAFE_INTEGER : timeoutSeconds * 1000;
    if (signal !== SIG.KILL && !waitReadable(init.fd, timeoutMs)) signalAlive(init.fd, SIG.KILL, state.cgroupPath);
  }
  waitForLock(containerPaths(root, id).directory);
}

/** Removes a container that has ended; with `force`, also one that runs. */
export function removeContainer(root: StateRoot, id: string, options: { force: boolean; volumes: boolean }): void {
  const { directory } = containerPaths(root, id);
  reconcile(root, id);
  let state: ContainerState | undefined;
  try {
    state = readState(root, id);
  } catch (error) {
    if (!options.force) throw error;
  }
  if (state !== undefined && state.status !== "exited") {
    if (!options.force) {
      throw new Failure(`container '${state.name}' is running`, {
        hint: `stop it first, or use 'mycontainer rm --force ${state.name}'`,
      });
    }
    using init = openInit(state);
    if (init !== undefined) signalAlive(init.fd, SIG.KILL, state.cgroupPath);
    waitForLock(directory);
  }
  using held = lockDirectory(directory);
  // Its supervisor has removed it already, or somebody else does now.
  if (held === undefined) return;
  if (state !== undefined) releaseResources(root, state, "now");
  removeFiles(root, state ?? { id, name: id });
  if (options.volumes) removeOwnVolumes(root, id);
}

/**
 * Waits for a container's end. Returns its exit code.
 * The file `exit`, opened before the wait, is how the code comes to us even if the container is removed at its end.
 */
export function waitContainer(root: StateRoot, id: string): number {
  const state = currentState(root, id);
  if (state.exit !== undefined) return state.exit.code;
  const paths = containerPaths(root, id);
  try {
    using directory = openHost(paths.directory, O_RDONLY | O_DIRECTORY);
    using exit = openHost(paths.exit, O_RDWR | O_CREAT);
    lockShared(directory.fd, paths.directory);
    const told = readAllText(exit.fd, paths.exit);
    if (told !== "") return Number(told);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  const ended = readState(root, id)?.exit;
  if (ended === undefined)
    throw new Failure(`container '${state.name}' was removed before its exit code could be seen`);
  return ended.code;
}
