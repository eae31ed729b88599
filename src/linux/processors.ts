/**
 * Processors that this process may run on: sched_getaffinity(2).
 */
import { attempt } from "./error.ts";

/** For 8192 processors, the kernel's own limit. */
const MASK_BYTES = 1024;

export function processorCount(): number {
  const mask = new Uint8Array(MASK_BYTES);
  const length = attempt("sched_getaffinity", 0, mask.length, mask);
  let count = 0;
  for (const byte of mask.subarray(0, Math.max(length, 0))) for (let bits = byte; bits > 0; bits &= bits - 1) count++;
  return Math.max(count, 1);
}
