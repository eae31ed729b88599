/**
 * What is done to containers that run or have run: stop, kill, rm, wait.
 */
import { letGoOn } from "../cgroup/freeze.ts";
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { lockShared } from "../linux/flock.ts";
import { exists, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, openHost } from "../linux/hostpath.ts";
import { readAllText } from "../linux/io.ts";
import { waitReadable } from "../linux/poll.ts";
import { openPidfd, sendSignal } from "../linux/process.ts";
import { parseSignal, SIG } from "../linux/signal.ts";
import { awaitChange } from "./await-change.ts";
import { reconcile, releaseResources, removeFiles, waitForLock } from "./destroy.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { type ContainerState, isIdle, isRunning, lockDirectory, readState } from "./state.ts";
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
  send(state, init.fd, number);
}

/** Sends a signal to a first process; one that is paused goes on with it, as with docker. */
function send({ cgroupPath }: ContainerState, initFd: number, signal: number): void {
  sendSignal(initFd, signal);
  letGoOn(cgroupPath);
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
    send(state, init.fd, signal);
    const timeoutMs = timeoutSeconds < 0 ? Number.MAX_SAFE_INTEGER : timeoutSeconds * 1000;
    if (signal !== SIG.KILL && !waitReadable(init.fd, timeoutMs)) send(state, init.fd, SIG.KILL);
  }
  waitForLock(containerPaths(root, id).directory);
}

/** The state of a container that is to be removed; with force, that it cannot be read is no reason to leave it. */
function readIfPossible(root: StateRoot, id: string, force: boolean): ContainerState | undefined {
  try {
    return readState(root, id);
  } catch (error) {
    if (!force) throw error;
    return undefined;
  }
}

/** Removes a container that has ended; with `force`, also one that runs. */
export function removeContainer(root: StateRoot, id: string, options: { force: boolean; volumes: boolean }): void {
  const { directory } = containerPaths(root, id);
  for (;;) {
    reconcile(root, id);
    const state = readIfPossible(root, id, options.force);
    if (state !== undefined && !isIdle(state)) {
      if (!options.force) {
        throw new Failure(`container '${state.name}' is running`, {
          hint: `stop it first, or use 'mycontainer rm --force ${state.name}'`,
        });
      }
      using init = openInit(state);
      if (init === undefined && state.status === "creating") {
        awaitChange(directory);
        continue;
      }
      if (init !== undefined) send(state, init.fd, SIG.KILL);
      waitForLock(directory);
    }
    using held = lockDirectory(directory);
    if (held === undefined) {
      // Its supervisor has removed it, or somebody else; or one that has just told of its end is not done with it.
      if (!exists(directory)) return;
      awaitChange(directory);
      continue;
    }
    if (state !== undefined) releaseResources(root, state, "now");
    removeFiles(root, state ?? { id, name: id });
    if (options.volumes) removeOwnVolumes(root, id);
    return;
  }
}

/** A container whose end is going to be waited for: what it needs is open, and stays so if the container is removed. */
export interface Waiting extends Disposable {
  /** Waits for the end. Returns the exit code. */
  readonly end: () => number;
}

/**
 * Gets ready to wait for the end of a container that runs.
 * The file `exit`, opened before the wait, is how the code comes to us even if the container is removed at its end.
 */
export function beginWait(root: StateRoot, { id, name }: Pick<ContainerState, "id" | "name">): Waiting {
  const paths = containerPaths(root, id);
  using stack = new DisposableStack();
  let handles: readonly [directory: Handle, exit: Handle] | undefined;
  try {
    const directory = stack.use(openHost(paths.directory, O_RDONLY | O_DIRECTORY));
    handles = [directory, stack.use(openHost(paths.exit, O_RDWR | O_CREAT))];
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  const kept = stack.move();
  const end = (): number => {
    if (handles !== undefined) {
      const [directory, exit] = handles;
      lockShared(directory.fd, paths.directory);
      const told = readAllText(exit.fd, paths.exit);
      if (told !== "") return Number(told);
      // Its supervisor was killed, perhaps a moment ago, and told nobody: with our lock given back, that can be finished.
      directory.close();
      reconcile(root, id);
    }
    const ended = readState(root, id)?.exit;
    if (ended === undefined) throw new Failure(`container '${name}' was removed before its exit code could be seen`);
    return ended.code;
  };
  return { end, [Symbol.dispose]: () => kept.dispose() };
}

/** Waits for a container's end. Returns its exit code. */
export function waitContainer(root: StateRoot, id: string): number {
  const state = currentState(root, id);
  if (state.status === "exited" && state.exit !== undefined) return state.exit.code;
  // As docker has it: it does not run.
  if (state.status === "created") return 0;
  using waiting = beginWait(root, state);
  return waiting.end();
}
