/**
 * Waiting for what a cgroup of version 2 becomes: `cgroup.events` says it, and its changes are events.
 */
import { monotonicMs } from "../linux/clock.ts";
import { isErrno } from "../linux/error.ts";
import { readText } from "../linux/hostpath.ts";
import { takeChanges, watchForChanges } from "../linux/inotify.ts";
import { waitReadable } from "../linux/poll.ts";
import { numberOf } from "./file.ts";

/** Waits until `cgroup.events` says so. True also if the cgroup is gone; false if it took too long. */
export function awaitEvent(directory: string, key: "populated" | "frozen", value: 0 | 1, timeoutMs: number): boolean {
  const file = `${directory}/cgroup.events`;
  const deadline = monotonicMs() + timeoutMs;
  try {
    using changes = watchForChanges(file);
    for (;;) {
      if (numberOf(readText(file), key) === value) return true;
      if (!waitReadable(changes.fd, Math.max(0, deadline - monotonicMs()))) return false;
      takeChanges(changes.fd);
    }
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return true;
    throw error;
  }
}
