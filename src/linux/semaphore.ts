/**
 * Counters that the kernel keeps, and sets back for a process that ends however it ends: semop(2) with SEM_UNDO.
 */
import { attempt } from "./error.ts";

const IPC_CREAT = 0o1000;
const IPC_EXCL = 0o2000;
const IPC_NOWAIT = 0o4000;
const SEM_UNDO = 0x1000;
const IPC_RMID = 0;
const IPC_STAT = 2;
const GETALL = 13;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/** `struct semid64_ds` (include/uapi/asm-generic/sembuf.h) begins with `struct ipc64_perm`, and is not longer than this. */
const STATUS_BYTES = 128;
const [UID_WORD, CREATOR_WORD, MODE_WORD] = [1, 3, 5];
/** `struct sembuf` in 16-bit words: number, operation, flags. */
const OPERATION_WORDS = 3;

export interface Semaphores {
  /** The kernel's number of the set. */
  readonly set: number;
  /** Whether it was made now: then all of it is 0. */
  readonly isNew: boolean;
}

/** The set of `count` semaphores of that key, made if it is not there. Undefined if there can be none, or it is somebody else's. */
export function semaphores(key: number, count: number, uid: number): Semaphores | undefined {
  const made = attempt("semget", key, count, IPC_CREAT | IPC_EXCL | OWNER_ONLY);
  if (made >= 0) return { set: made, isNew: true };
  const set = attempt("semget", key, count, 0);
  if (set < 0) return undefined;
  const status = new Uint32Array(STATUS_BYTES / 4);
  if (attempt("semctl", set, 0, IPC_STAT, status) < 0) return undefined;
  const isOurs = status[UID_WORD] === uid && status[CREATOR_WORD] === uid && ((status[MODE_WORD] ?? 0) & OTHERS) === 0;
  return isOurs ? { set, isNew: false } : undefined;
}

/** A change of one semaphore of a set. */
export interface Change {
  readonly number: number;
  /** 0: nothing is changed, but it must be 0. */
  readonly by: number;
  /** Whether the kernel takes it back when this process ends. */
  readonly undone: boolean;
}

/** Makes all changes at once, or none; false if one would lead below 0, one that must be 0 is not, or the set is gone. */
export function change(set: number, changes: readonly Change[]): boolean {
  const operations = new Int16Array(changes.length * OPERATION_WORDS);
  changes.forEach(({ number, by, undone }, index) => {
    operations.set([number, by, IPC_NOWAIT | (undone ? SEM_UNDO : 0)], index * OPERATION_WORDS);
  });
  return attempt("semop", set, operations, changes.length) === 0;
}

export function removeSemaphores(set: number): void {
  attempt("semctl", set, 0, IPC_RMID);
}

/** All counts of a set of `count`, read at once; undefined if the set is gone. */
export function countsOf(set: number, count: number): readonly number[] | undefined {
  const counts = new Uint16Array(count);
  return attempt("semctl", set, 0, GETALL, counts) < 0 ? undefined : [...counts];
}
