/**
 * Files of the host, by path. Never for a path inside a container's root: those are resolved by linux/rootpath.ts.
 * A rule of the linter keeps this module out of the code that works in a container's root.
 */
import { type DirectoryEntry, entriesOf } from "./directory.ts";
import { arch, decode } from "./door.ts";
import { attempt, call, isErrno, KernelError } from "./error.ts";
import { AT_FDCWD, callForHandle, type Handle } from "./fd.ts";
import { fsync, readAll, readAllText, WHOLE_FILE_LIMIT_BYTES, writeAll } from "./io.ts";
import { type FileStatus, parseStatx, STATX_WANTED, statxWords } from "./status.ts";

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
// O_DIRECTORY and O_NOFOLLOW differ between the architectures (arch/arm64/include/uapi/asm/fcntl.h).
export const O_DIRECTORY = arch === "aarch64" ? 0o40000 : 0o200000;
export const O_NOFOLLOW = arch === "aarch64" ? 0o100000 : 0o400000;

const AT_REMOVEDIR = 0x200;
const AT_SYMLINK_NOFOLLOW = 0x100;
const PATH_MAX_BYTES = 4096;
const [ENOENT, EEXIST, ENOTDIR, EISDIR, ELOOP] = [2, 17, 20, 21, 40];

/** Opens a path of the host; O_CLOEXEC is always added. */
export function openHost(path: string, flags: number, mode = 0o600): Handle {
  return callForHandle("openat", path, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

export function readText(path: string, limitBytes: number = WHOLE_FILE_LIMIT_BYTES): string {
  using file = openHost(path, O_RDONLY);
  return readAllText(file.fd, path, limitBytes);
}

export function readBytes(path: string, limitBytes: number = WHOLE_FILE_LIMIT_BYTES): Uint8Array {
  using file = openHost(path, O_RDONLY);
  return readAll(file.fd, path, limitBytes);
}

/** The file's text, or undefined if there is no such file. */
export function readTextIfThere(path: string): string | undefined {
  try {
    return readText(path);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Writes to a file that is there: for kernel files, in one call. */
export function writeKernelFile(path: string, text: string): void {
  using file = openHost(path, O_WRONLY);
  writeAll(file.fd, text, path);
}

/** Makes or replaces a file, not atomically: for files that nobody else reads yet. */
export function writeNewFile(path: string, data: string | Uint8Array, mode = 0o600): void {
  using file = openHost(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  writeAll(file.fd, data, path);
}

/** Adds a line to the end of a file, which is made if it is not there. Readers see all of the line or nothing. */
export function appendLine(path: string, text: string, mode = 0o600): void {
  using file = openHost(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode);
  writeAll(file.fd, `${text}\n`, path);
}

/** A new file, where nobody else has put one or a link to one; what is left of a writer that was killed is removed. */
function openNew(path: string, mode: number): Handle {
  const flags = O_WRONLY | O_CREAT | O_EXCL;
  try {
    return openHost(path, flags, mode);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    removeFile(path);
    return openHost(path, flags, mode);
  }
}

/**
 * Replaces a file in one step: readers see the old or the new one, whole. With `durable`, also after a loss of power.
 * A link in its place is replaced, not followed.
 */
export function replaceFile(
  path: string,
  data: string | Uint8Array,
  options: { durable: boolean; mode?: number },
): void {
  const temporary = `${path}.new`;
  {
    using file = openNew(temporary, options.mode ?? 0o600);
    writeAll(file.fd, data, temporary);
    if (options.durable) fsync(file.fd, temporary);
  }
  rename(temporary, path);
  if (options.durable) syncDirectory(path.slice(0, path.lastIndexOf("/")) || "/");
}

export function syncDirectory(path: string): void {
  using directory = openHost(path, O_RDONLY | O_DIRECTORY);
  fsync(directory.fd, path);
}

export function makeDirectory(path: string, mode = 0o700): void {
  call("mkdirat", path, AT_FDCWD, path, mode);
}

/** Makes a directory and those above it, where they are not there yet. */
export function makeDirectories(path: string, mode = 0o700): void {
  const result = attempt("mkdirat", AT_FDCWD, path, mode);
  if (result === 0 || result === -EEXIST) return;
  if (result !== -ENOENT || path.lastIndexOf("/") <= 0) throw new KernelError("mkdirat", -result, path);
  makeDirectories(path.slice(0, path.lastIndexOf("/")), mode);
  makeDirectories(path, mode);
}

export function rename(from: string, to: string): void {
  call("renameat2", `${from} -> ${to}`, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/** Removes a file or link. Returns false if it was not there. */
export function removeFile(path: string): boolean {
  return removed("unlinkat", path, attempt("unlinkat", AT_FDCWD, path, 0));
}

/** Removes an empty directory. Returns false if it was not there. */
export function removeDirectory(path: string): boolean {
  return removed("unlinkat", path, attempt("unlinkat", AT_FDCWD, path, AT_REMOVEDIR));
}

function removed(name: "unlinkat", path: string, result: number): boolean {
  if (result === -ENOENT) return false;
  if (result < 0) throw new KernelError(name, -result, path);
  return true;
}

export function workingDirectory(): string {
  const buffer = new Uint8Array(PATH_MAX_BYTES);
  const length = call("getcwd", "the working directory", buffer, buffer.length);
  return decode(buffer, 0, length - 1);
}

export function changeOwner(path: string, uid: number, gid: number): void {
  call("fchownat", path, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

/** Makes a symbolic link; throws EEXIST if the name is taken. */
export function makeLink(target: string, path: string): void {
  call("symlinkat", path, target, AT_FDCWD, path);
}

/** What a symbolic link says, or undefined if there is none of that name. */
export function readLink(path: string): string | undefined {
  const buffer = new Uint8Array(PATH_MAX_BYTES);
  const length = attempt("readlinkat", AT_FDCWD, path, buffer, buffer.length);
  return length < 0 ? undefined : decode(buffer, 0, length);
}

/** The entries of a directory; none if it is not there. */
export function listDirectory(path: string): DirectoryEntry[] {
  const fd = attempt("openat", AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd === -ENOENT) return [];
  if (fd < 0) throw new KernelError("openat", -fd, path);
  try {
    return entriesOf(fd, path);
  } finally {
    attempt("close", fd);
  }
}

/** Removes a tree below an open directory, following no link and crossing into nothing that was swapped in meanwhile. */
function removeTreeAt(parentFd: number, name: string, about: string): void {
  const fd = attempt("openat", parentFd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (fd === -ENOENT) return;
  if (fd === -ENOTDIR || fd === -ELOOP) return removeFileAt(parentFd, name, about);
  if (fd < 0) throw new KernelError("openat", -fd, about);
  try {
    for (const entry of entriesOf(fd, about)) {
      if (entry.isDirectory) removeTreeAt(fd, entry.name, `${about}/${entry.name}`);
      else removeFileAt(fd, entry.name, `${about}/${entry.name}`);
    }
  } finally {
    attempt("close", fd);
  }
  const gone = attempt("unlinkat", parentFd, name, AT_REMOVEDIR);
  if (gone < 0 && gone !== -ENOENT) throw new KernelError("unlinkat", -gone, about);
}

/** Removes what is no directory, or was none when it was looked at. */
function removeFileAt(parentFd: number, name: string, about: string): void {
  const result = attempt("unlinkat", parentFd, name, 0);
  if (result === -EISDIR) removeTreeAt(parentFd, name, about);
  else if (result < 0 && result !== -ENOENT) throw new KernelError("unlinkat", -result, about);
}

/** Removes a file or a whole directory; that it is not there is fine. Links are removed, not followed. */
export function removeTree(path: string): void {
  removeTreeAt(AT_FDCWD, path, path);
}

/** What statx(2) says of a path, or undefined if it is not there. */
export function statusOf(
  path: string,
  options: { followLinks: boolean } = { followLinks: true },
): FileStatus | undefined {
  const buffer = statxWords();
  const result = attempt("statx", AT_FDCWD, path, options.followLinks ? 0 : AT_SYMLINK_NOFOLLOW, STATX_WANTED, buffer);
  if (result === -ENOENT || result === -ENOTDIR) return undefined;
  if (result < 0) throw new KernelError("statx", -result, path);
  return parseStatx(buffer);
}

export function exists(path: string): boolean {
  return attempt("faccessat", AT_FDCWD, path, 0) === 0;
}
