/**
 * What is being made lies in `staging/` until it is complete, in a directory whose lock its maker holds. A directory
 * there that is not locked is what is left of a maker that was killed: the next command clears it away. The name tells who
 * the maker is: a child that was about to become the codec holds the lock for a moment longer than a parent that was killed.
 */
import { call, isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import {
  listDirectory,
  makeDirectory,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_WRONLY,
  openHost,
  removeTree,
  statusOf,
} from "../linux/hostpath.ts";
import { fsync, writeAll } from "../linux/io.ts";
import { getpid, startTimeOf } from "../linux/process.ts";
import { statusOfFd } from "../linux/status.ts";
import { settle } from "./garbage.ts";
import { makeStore, storePaths, tryLockStore } from "./store.ts";

const RANDOM_BYTES = 8;
/** Of the directory that becomes the root of a layer. */
const LAYER_ROOT_MODE = 0o755;

/** A place of one's own to make things in; gone at the end of its scope, with all that was not moved out of it. */
export class Staging implements Disposable {
  readonly path: string;
  readonly #lock: Handle;
  #count = 0;

  constructor(path: string, held: Handle) {
    this.path = path;
    this.#lock = held;
  }

  /** A path in it that is not taken. */
  newPath(): string {
    return `${this.path}/${this.#count++}`;
  }

  newDirectory(): string {
    const path = this.newPath();
    makeDirectory(path, LAYER_ROOT_MODE);
    using directory = openHost(path, O_RDONLY | O_DIRECTORY);
    // Whatever the umask is.
    call("fchmod", path, directory.fd, LAYER_ROOT_MODE);
    return path;
  }

  /** A new file with this text, on disk before it is moved to where it is looked for. */
  newFile(text: string): string {
    const path = this.newPath();
    using file = openHost(path, O_WRONLY | O_CREAT | O_EXCL);
    writeAll(file.fd, text, path);
    fsync(file.fd, path);
    return path;
  }

  /** All that was written so far is on disk when this returns: syncfs(2). */
  flush(): void {
    call("syncfs", this.path, this.#lock.fd);
  }

  [Symbol.dispose](): void {
    removeTree(this.path);
    this.#lock.close();
  }
}

/** `PID.START.RANDOM`: who makes something there, and when that process began. */
function nameOfOurs(): string {
  const bytes = new Uint8Array(RANDOM_BYTES);
  call("getrandom", "", bytes, bytes.length, 0);
  const random = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const pid = getpid();
  return `${pid}.${startTimeOf(pid) ?? 0}.${random}`;
}

/** Whether the maker of a place has ended, as far as its name tells. */
function isForsaken(name: string): boolean {
  const [pid = "", start = ""] = name.split(".");
  return start !== "" && startTimeOf(Number(pid)) !== Number(start);
}

/**
 * Takes the lock of a place if its maker is gone. Where only the lock is left of it, in a child that is about to end as well,
 * that is waited for.
 */
function takeOver(directory: Handle, path: string, name: string): boolean {
  if (tryLock(directory.fd, path)) return true;
  if (!isForsaken(name)) return false;
  lock(directory.fd, path);
  return true;
}

/** Makes the store, if need be, and a place in it to make things in. */
export function openStaging(images: string): Staging {
  makeStore(images);
  for (;;) {
    const path = `${storePaths(images).staging}/${nameOfOurs()}`;
    makeDirectory(path);
    const held = lockedDirectory(path);
    if (held !== undefined) return new Staging(path, held);
  }
}

/** The lock of a new directory; undefined if it was cleared away before it was locked. */
function lockedDirectory(path: string): Handle | undefined {
  let directory: Handle;
  try {
    directory = openHost(path, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  lock(directory.fd, path);
  if (statusOf(path)?.inode === statusOfFd(directory.fd).inode) return directory;
  directory.close();
  return undefined;
}

/**
 * Clears away what killed commands have left. Costs the reading of one directory, which mostly is empty.
 * @returns the number of places that were cleared
 */
export function reconcileStore(images: string): number {
  const { staging } = storePaths(images);
  let cleared = 0;
  for (const { name } of listDirectory(staging)) {
    const path = `${staging}/${name}`;
    let directory: Handle;
    try {
      directory = openHost(path, O_RDONLY | O_DIRECTORY);
    } catch (error) {
      if (isErrno(error, "ENOENT")) continue;
      throw error;
    }
    using held = directory;
    if (!takeOver(held, path, name)) continue;
    // Its maker may have been about to name what it had moved already.
    using writers = tryLockStore(images);
    if (writers === undefined) continue; // whoever works there settles everything at the end
    settle(images);
    removeTree(path);
    cleared++;
  }
  return cleared;
}
