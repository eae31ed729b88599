/**
 * Waiting for what becomes of a container whose lock somebody has just now: its state changes, or the lock is free.
 */
import { isErrno } from "../linux/error.ts";
import { watchDirectory } from "../linux/inotify.ts";
import { waitReadable } from "../linux/poll.ts";

/** The kernel tells of a closed file before it gives its lock back, and of nothing that was before the question. */
const LOOK_AGAIN_MS = 50;

/** Comes back when it is time to look at the container again; at once if it is gone. */
export function awaitChange(directory: string): void {
  try {
    using changes = watchDirectory(directory);
    waitReadable(changes.fd, LOOK_AGAIN_MS);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
