/**
 * Undoing a container, from what its state says: at its end, after a failure, and after its supervisor died half way.
 * Every step may have been done before, or never; each is idempotent.
 */
import { destroyCgroup } from "../cgroup/apply.ts";
import { letGoOn } from "../cgroup/freeze.ts";
import { wallClockMs } from "../linux/clock.ts";
import { isErrno } from "../linux/error.ts";
import { lock } from "../linux/flock.ts";
import { exists, O_DIRECTORY, O_RDONLY, openHost, readTextIfThere, removeTree } from "../linux/hostpath.ts";
import { waitReadable } from "../linux/poll.ts";
import { openPidfd, sendSignal } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { detachGone, detachNetwork } from "../network/attach.ts";
import type { Emit } from "./events.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { endForsakenPause } from "./standstill.ts";
import {
  type ContainerState,
  isIdle,
  isRunning,
  listIds,
  lockDirectory,
  readState,
  releaseName,
  releaseNamesOf,
  writeState,
} from "./state.ts";
import { removeOwnVolumes } from "./volumes.ts";

/** How long a killed process is waited for: far more than a kernel needs. */
const KILL_TIMEOUT_MS = 10_000;
/** 128 and SIGKILL: the kernel kills a container with its supervisor. */
const KILLED_WITH_SUPERVISOR = 137;

/** Ends the container's first process, and with it all others, if it still runs. */
export function killContainer(state: ContainerState): void {
  const { init } = state;
  if (init === undefined || !isRunning(init)) return;
  using pidfd = openPidfd(init.pid);
  // Between the two looks the pid may have become somebody else's: the descriptor names one process for good.
  if (pidfd === undefined || !isRunning(init)) return;
  sendSignal(pidfd.fd, SIG.KILL);
  letGoOn(state.cgroupPath);
  waitReadable(pidfd.fd, KILL_TIMEOUT_MS);
}

/**
 * Gives back all of the kernel's that the container has: processes, links, rules, leases, cgroups.
 * @param link how the links go: see network/attach.ts
 */
export function releaseResources(
  root: StateRoot,
  state: ContainerState,
  link: "kernel" | "now",
  emit: Emit = () => {},
): void {
  killContainer(state);
  if (state.hasNetwork) {
    detachNetwork({ container: state.id, root: root.networks, link });
    emit({ kind: "network-removed" });
  }
  destroyCgroup(state.cgroupPath);
  emit({ kind: "cgroup-removed" });
}

/** Removes what is on disk of a container whose resources have been released. */
export function removeFiles(root: StateRoot, state: Pick<ContainerState, "id" | "name">): void {
  const { directory, name: renamed } = containerPaths(root, state.id);
  const name = readTextIfThere(renamed) ?? state.name;
  if (name !== state.id) releaseName(root, name, state.id);
  removeTree(directory);
}

/** As `removeFiles`, of a container that nobody will see again: with its volumes that have no name. */
export function removeAll(root: StateRoot, state: Pick<ContainerState, "id" | "name">): void {
  // First what would not be found again.
  removeOwnVolumes(root, state.id);
  removeFiles(root, state);
}

/** What becomes of a container that did not come to run: it is what it was before; one that never was more is removed. */
export function fallBack(root: StateRoot, state: ContainerState): void {
  const { before, init: _init, ...rest } = state;
  if (before === undefined) removeAll(root, state);
  else writeState(root, { ...rest, status: before, hasNetwork: false }, { durable: true });
}

/** Finishes a container whose supervisor is gone; the caller has its lock. */
function recover(root: StateRoot, id: string): void {
  const state = readState(root, id);
  if (state === undefined) {
    // Its maker died before it had noted what it was about to do: there is the directory, and perhaps a name.
    releaseNamesOf(root, id);
    removeAll(root, { id, name: id });
    return;
  }
  if (isIdle(state)) return;
  releaseResources(root, state, "now");
  if (state.status === "creating") {
    fallBack(root, state);
    return;
  }
  if (state.removeAtEnd) {
    removeAll(root, state);
    return;
  }
  const { init: _, ...rest } = state;
  writeState(
    root,
    {
      ...rest,
      status: "exited",
      exit: { code: KILLED_WITH_SUPERVISOR, outOfMemory: false, finishedMs: wallClockMs() },
    },
    { durable: true },
  );
}

/** Finishes what the supervisor of one container left half done, if it is gone. Returns whether it is gone. */
export function reconcile(root: StateRoot, id: string): boolean {
  using held = lockDirectory(containerPaths(root, id).directory);
  if (held !== undefined) {
    recover(root, id);
    return true;
  }
  const state = readState(root, id);
  // A dead supervisor's lock is held for a moment more by the child that is about to die with it.
  if (state === undefined || isIdle(state)) return false;
  if (isRunning(state.supervisor)) {
    endForsakenPause(root, state);
    return false;
  }
  waitForLock(containerPaths(root, id).directory);
  return reconcile(root, id);
}

/** Waits until nobody supervises the container any more. */
export function waitForLock(directory: string): void {
  try {
    using handle = openHost(directory, O_RDONLY | O_DIRECTORY);
    lock(handle.fd, directory);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/**
 * Finishes whatever died half way, of all containers. It looks no further where a lock is held: whoever holds it lives, or is
 * finished by the next command. Returns how many locks are held.
 */
export function reconcileAll(root: StateRoot): number {
  let supervised = 0;
  for (const id of listIds(root)) {
    using held = lockDirectory(containerPaths(root, id).directory);
    if (held !== undefined) recover(root, id);
    else supervised++;
  }
  // Leases of containers whose directories somebody has removed by hand.
  detachGone(root.networks, (id) => exists(containerPaths(root, id).directory));
  return supervised;
}
