/**
 * Time: clock_gettime(2). The monotonic clock measures and limits; the clock of the day is only shown.
 */
import { syscall } from "./door.ts";
import { struct } from "./struct.ts";
import { NR } from "./syscalls.ts";

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;

/** `struct __kernel_timespec`. */
export const timespec = struct({ seconds: "i64", nanoseconds: "i64" });

function now(clock: number): { seconds: number; nanoseconds: number } {
  const buffer = new Uint8Array(timespec.size);
  syscall(NR.clock_gettime, clock, buffer);
  return timespec.decode(buffer);
}

/** Milliseconds since some fixed moment, with fractions; never goes back. */
export function monotonicMs(): number {
  const { seconds, nanoseconds } = now(CLOCK_MONOTONIC);
  return seconds * 1000 + nanoseconds / 1e6;
}

/** Milliseconds since 1970. */
export function wallClockMs(): number {
  const { seconds, nanoseconds } = now(CLOCK_REALTIME);
  return seconds * 1000 + Math.floor(nanoseconds / 1e6);
}

/** The time of day as RFC 3339 with nanoseconds, UTC: as container logs have it. */
export function wallClockRfc3339(): string {
  const { seconds, nanoseconds } = now(CLOCK_REALTIME);
  const day = new Date(seconds * 1000).toISOString().slice(0, 19);
  return `${day}.${String(nanoseconds).padStart(9, "0")}Z`;
}
