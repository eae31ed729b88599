/**
 * Waiting for one descriptor: poll(2).
 */

import { monotonicMs, timespec } from "./clock.ts";
import { attempt } from "./error.ts";

const POLLIN = 1;

/** Waits until the descriptor is readable (a pidfd: until its process has ended). False if that took too long. */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  const deadline = monotonicMs() + timeoutMs;
  const poll = new Uint8Array(8);
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
