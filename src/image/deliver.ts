/**
 * Where an archive goes that is made for the user: a file, which is there only when it is complete, or standard output.
 */
import { Failure } from "../failure.ts";
import { attempt, call, isErrno } from "../linux/error.ts";
import { AT_FDCWD, duplicate, type Handle, O_NONBLOCK } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import {
  listDirectory,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  openHost,
  readLink,
  removeFile,
  rename,
} from "../linux/hostpath.ts";
import { getpid } from "../linux/process.ts";
import { statusOfFd } from "../linux/status.ts";
import { isTerminal } from "../linux/tty.ts";

/** A file without a name: open(2). */
const O_TMPFILE = 0o20000000 | O_DIRECTORY;
const AT_SYMLINK_FOLLOW = 0x400;
const FILE_MODE = 0o600;
const EEXIST = 17;

/** What is being written. At the end of its scope nothing of it is left, unless `finish` was called. */
export class Target implements Disposable {
  readonly handle: Handle;
  /** What the user knows it by. */
  readonly about: string;
  readonly #place: () => void;
  readonly #discard: () => void;
  #isPlaced = false;

  constructor(handle: Handle, about: string, place: () => void = () => {}, discard: () => void = () => {}) {
    this.handle = handle;
    this.about = about;
    this.#place = place;
    this.#discard = discard;
  }

  /** All has been written: the file gets its name. */
  finish(): void {
    this.#place();
    this.#isPlaced = true;
  }

  [Symbol.dispose](): void {
    if (!this.#isPlaced) this.#discard();
    this.handle.close();
  }
}

/** Opens the place for an archive; without a path, or for "-", standard output, which must not be a terminal. */
export function openTarget(path: string | undefined): Target {
  if (path === undefined || path === "-") {
    if (!isTerminal(1)) return new Target(duplicate(1), "standard output");
    throw new Failure("an archive is not written to a terminal", { hint: "use -o FILE, or redirect: ... > image.tar" });
  }
  try {
    return openFile(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw new Failure(`there is no directory for '${path}'`, { cause: error });
    if (isErrno(error, "EACCES", "EPERM", "EROFS")) {
      throw new Failure(`'${path}' may not be written`, { cause: error });
    }
    if (isErrno(error, "ENOSPC", "EDQUOT")) {
      throw new Failure(`no space left to write '${path}'`, {
        hint: "name a file on another file system",
        cause: error,
      });
    }
    throw error;
  }
}

function openFile(path: string): Target {
  const real = realPath(path);
  if (real === undefined) return new Target(openHost(path, O_WRONLY | O_NOCTTY), `'${path}'`);
  const directory = real.slice(0, real.lastIndexOf("/") + 1) || ".";
  removeForsaken(directory, real.slice(real.lastIndexOf("/") + 1));
  try {
    const file = openHost(directory, O_WRONLY | O_TMPFILE, FILE_MODE);
    return new Target(file, `'${path}'`, () => giveName(file, real));
  } catch (error) {
    // Some file systems cannot (NFS, older overlayfs): there, a killed command leaves a file.
    if (!isErrno(error, "EOPNOTSUPP", "EISDIR", "EINVAL")) throw error;
  }
  const temporary = temporaryFor(real);
  const file = openHost(temporary, O_WRONLY | O_CREAT | O_EXCL, FILE_MODE);
  lock(file.fd, temporary);
  return new Target(
    file,
    `'${path}'`,
    () => rename(temporary, real),
    () => removeFile(temporary),
  );
}

/** Where a file is that is to be replaced or made; undefined if what is there is written to as it is: a fifo or device. */
function realPath(path: string): string | undefined {
  let there: Handle;
  try {
    there = openHost(path, O_PATH);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return path;
    throw error;
  }
  using found = there;
  const { type } = statusOfFd(found.fd, path);
  if (type === "directory") throw new Failure(`'${path}' is a directory`, { hint: "name the file that is to be made" });
  return type === "file" ? (readLink(`/proc/self/fd/${found.fd}`) ?? path) : undefined;
}

/** Its maker holds the lock of the file. */
const temporaryFor = (path: string): string => `${path}.${getpid()}.new`;

/** Removes what commands have left that were killed just before they gave their file its name. */
function removeForsaken(directory: string, name: string): void {
  for (const entry of listDirectory(directory)) {
    if (!entry.name.startsWith(`${name}.`) || !/^\.[0-9]+\.new$/.test(entry.name.slice(name.length))) continue;
    const path = `${directory}/${entry.name}`;
    try {
      using file = openHost(path, O_WRONLY | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
      if (tryLock(file.fd, path)) removeFile(path);
    } catch (error) {
      // It has its name by now, or is somebody else's.
      if (!isErrno(error)) throw error;
    }
  }
}

/** Gives a file without a name one; what has that name already is replaced in one step: linkat(2). */
function giveName(file: Handle, path: string): void {
  const link = (name: string): number =>
    attempt("linkat", AT_FDCWD, `/proc/self/fd/${file.fd}`, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
  const result = link(path);
  if (result === 0) return;
  if (result !== -EEXIST) {
    call("linkat", path, AT_FDCWD, `/proc/self/fd/${file.fd}`, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
    return;
  }
  const temporary = temporaryFor(path);
  removeFile(temporary);
  lock(file.fd, path);
  call("linkat", temporary, AT_FDCWD, `/proc/self/fd/${file.fd}`, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW);
  rename(temporary, path);
}
