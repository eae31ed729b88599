/**
 * Waiting for one descriptor: poll(2).
 */

import { monotonicMs, timespec } from "./clock.ts";
import { attempt } from "./error.ts";

const POLLIN = 1;
/** `struct pollfd`. */
const POLLFD_BYTES = 8;

/** Waits until one of the descriptors is readable, and returns the first that is; undefined if the call may not be made. */
export function waitForAny(fds: readonly number[]): number | undefined {
  const polls = new Uint8Array(POLLFD_BYTES * fds.length);
  const view = new DataView(polls.buffer);
  fds.forEach((fd, index) => {
    view.setInt32(index * POLLFD_BYTES, fd, true);
    view.setInt16(index * POLLFD_BYTES + 4, POLLIN, true);
  });
  const result = attempt("ppoll", polls, fds.length, null, null, 8);
  return result < 0 ? undefined : fds.find((_, index) => view.getInt16(index * POLLFD_BYTES + 6, true) !== 0);
}

/** Waits until the descriptor is readable (a pidfd: until its process has ended). False if that took too long. */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  const deadline = monotonicMs() + timeoutMs;
  const poll = new Uint8Array(POLLFD_BYTES);
  const view = new DataView(poll.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, POLLIN, true);
  for (;;) {
    const leftMs = Math.max(0, deadline - monotonicMs());
    const wait = timespec.encode({
      seconds: Math.floor(leftMs / 1000),
      nanoseconds: Math.floor((leftMs % 1000) * 1e6),
    });
    const result = attempt("ppoll", poll, 1, wait, null, 8);
    if (result > 0) return true;
    if (monotonicMs() >= deadline) return false;
  }
}
