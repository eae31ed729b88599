/**
 * Processes of a container that stand still while something is done, and go on whatever becomes of who does it: the file
 * `paused` of the container is there before they are stopped, and who has stopped them holds its lock. One that nobody
 * holds was left by a command that was killed: the next one that looks at the container lets its processes go on.
 */
import { freeze, isFrozen, thaw } from "../cgroup/freeze.ts";
import type { Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import { exists, O_CREAT, O_RDWR, openHost, removeFile, statusOf } from "../linux/hostpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import type { ContainerState } from "./state.ts";

type Subject = Pick<ContainerState, "id" | "status" | "cgroupPath">;

const isAt = (path: string, file: Handle): boolean => statusOf(path)?.inode === statusOfFd(file.fd).inode;

/** Does something while the container's processes stand still, if it runs. Who comes second waits for the first. */
export function whilePaused<T>(root: StateRoot, state: Subject, action: () => T): T {
  if (state.status !== "running") return action();
  const path = containerPaths(root, state.id).paused;
  // What its user has paused stays so.
  if (!exists(path) && isFrozen(state.cgroupPath)) return action();
  using _held = claim(path);
  try {
    freeze(state.cgroupPath);
    try {
      return action();
    } finally {
      thaw(state.cgroupPath);
    }
  } finally {
    removeFile(path);
  }
}

function claim(path: string): Handle {
  for (;;) {
    const file = openHost(path, O_RDWR | O_CREAT);
    lock(file.fd, path);
    // Who had it has removed it, perhaps.
    if (isAt(path, file)) return file;
    file.close();
  }
}

/** Lets the processes of a container go on, if who has stopped them is gone. Mostly that is a look for a file. */
export function endForsakenPause(root: StateRoot, state: Subject): void {
  const path = containerPaths(root, state.id).paused;
  if (!exists(path)) return;
  using file = openHost(path, O_RDWR | O_CREAT);
  if (!tryLock(file.fd, path) || !isAt(path, file)) return;
  if (state.status === "running" && isFrozen(state.cgroupPath)) thaw(state.cgroupPath);
  removeFile(path);
}
