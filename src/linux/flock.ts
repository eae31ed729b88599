/**
 * Locks that end with their holder, however it ends: flock(2).
 */
import { attempt, KernelError } from "./error.ts";

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const EWOULDBLOCK = 11;

/** Takes the lock of an open file if it is free; whether that was so. */
export function tryLock(fd: number, about = ""): boolean {
  const result = attempt("flock", fd, LOCK_EX | LOCK_NB);
  if (result < 0 && result !== -EWOULDBLOCK) throw new KernelError("flock", -result, about);
  return result === 0;
}

/** Waits for the lock of an open file. */
export function lock(fd: number, about = ""): void {
  const result = attempt("flock", fd, LOCK_EX);
  if (result < 0) throw new KernelError("flock", -result, about);
}

/** Waits for a lock that other readers may hold as well. */
export function lockShared(fd: number, about = ""): void {
  const result = attempt("flock", fd, LOCK_SH);
  if (result < 0) throw new KernelError("flock", -result, about);
}
