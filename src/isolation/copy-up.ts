/**
 * The option `tmpcopyup` of a tmpfs: it begins with what the directory that it covers has. That directory is of the image, so
 * nothing in it is trusted: names are opened one by one below descriptors, links are copied and never followed, and what is
 * mounted below is left out. Owners and modes are kept; hard links become
 * files of their own.
 */
import { Failure } from "../failure.ts";
import { entriesOf } from "../linux/directory.ts";
import { decode } from "../linux/door.ts";
import { attempt, call, isErrno, KernelError } from "../linux/error.ts";
import { Handle } from "../linux/fd.ts";
import { read, writeAll } from "../linux/io.ts";
import { makeLinkAt, O_DIRECTORY, O_NOFOLLOW, O_PATH, openEntry } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";

const DEPTH_LIMIT = 128;
const ENTRY_LIMIT = 1_000_000;
const BUFFER_BYTES = 128 * 1024;
const LINK_LIMIT_BYTES = 4096;
const EINVAL = 22;
const WITHOUT_SET_ID = 0o1777;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const O_RDONLY = 0;
const O_WRONLY_NEW = 0o1 | 0o100 | 0o200;
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const SPECIAL = { fifo: 0o010000, socket: 0o140000, character: 0o020000, block: 0o060000 } as const;

interface Copying {
  readonly buffer: Uint8Array;
  /** The mount that is copied: what lies on another is left out. */
  readonly mountId: number;
  left: number;
}

/** Copies what the directory `fromFd` has into the empty directory `toFd`; `about` names them in errors. */
export function copyUp(fromFd: number, toFd: number, about: string): void {
  const { mountId } = statusOfFd(fromFd, about);
  copyDirectory(fromFd, toFd, about, { buffer: new Uint8Array(BUFFER_BYTES), mountId, left: ENTRY_LIMIT }, 0);
}

function copyDirectory(fromFd: number, toFd: number, about: string, copying: Copying, depth: number): void {
  if (depth > DEPTH_LIMIT) throw new Failure(`${about}: more than ${DEPTH_LIMIT} directories deep; not copied`);
  using readable = opened(fromFd, ".", O_RDONLY | O_DIRECTORY, about);
  using writable = opened(toFd, ".", O_RDONLY | O_DIRECTORY, about);
  for (const { name } of entriesOf(readable.fd, about)) {
    if (copying.left-- === 0) throw new Failure(`${about}: more than ${ENTRY_LIMIT} files; not copied`);
    copyEntry(readable.fd, writable.fd, name, `${about}/${name}`, copying, depth);
  }
  // Last: a mode without the owner's right to write would hinder those who are not root here.
  setOwner(writable.fd, statusOfFd(fromFd, about), about);
}

function opened(dirFd: number, name: string, flags: number, about: string, mode = 0): Handle {
  return new Handle(call("openat", about, dirFd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

function copyEntry(from: number, to: number, name: string, about: string, copying: Copying, depth: number): void {
  using entry = openEntry(from, name, O_PATH);
  const status = statusOfFd(entry.fd, about);
  if (status.mountId !== copying.mountId) return;
  switch (status.type) {
    case "directory": {
      call("mkdirat", about, to, name, 0o700);
      using made = openEntry(to, name, O_PATH | O_DIRECTORY);
      return copyDirectory(entry.fd, made.fd, about, copying, depth + 1);
    }
    case "file":
      return copyFile(from, to, name, about, copying);
    case "link": {
      const buffer = new Uint8Array(LINK_LIMIT_BYTES);
      makeLinkAt(decode(buffer, 0, call("readlinkat", about, entry.fd, "", buffer, buffer.length)), to, name);
      break;
    }
    case "fifo":
    case "socket":
    case "character":
    case "block":
      if (!copySpecial(to, name, status, SPECIAL[status.type], about)) return;
      break;
    case "unknown":
      return;
  }
  call("fchownat", about, to, name, status.uid, status.gid, AT_SYMLINK_NOFOLLOW);
}

/** False where a device may not be made: in a user namespace. */
function copySpecial(to: number, name: string, status: FileStatus, type: number, about: string): boolean {
  const { major, minor } = status.device;
  const device = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  try {
    call("mknodat", about, to, name, type | status.mode, device >>> 0);
    return true;
  } catch (error) {
    if (isErrno(error, "EPERM")) return false;
    throw error;
  }
}

function copyFile(from: number, to: number, name: string, about: string, { buffer }: Copying): void {
  // Somebody with a share in the directory may have put a pipe in its place: that must not hold us up.
  using source = opened(from, name, O_RDONLY | O_NONBLOCK, about);
  const status = statusOfFd(source.fd, about);
  if (status.type !== "file") throw new Failure(`${about} was exchanged while it was copied: refused`);
  using made = opened(to, name, O_WRONLY_NEW, about, 0o600);
  for (;;) {
    const length = read(source.fd, buffer, about);
    if (length === 0) break;
    try {
      writeAll(made.fd, buffer.subarray(0, length), about);
    } catch (error) {
      if (!isErrno(error, "ENOSPC")) throw error;
      throw new Failure(`${about} does not fit into the tmpfs`, { hint: "give it more with 'size='", cause: error });
    }
  }
  setOwner(made.fd, status, about);
}

/**
 * The owner first: changing it takes set-id bits away. An owner that is not mapped here cannot be given: the file stays that of
 * root, and is no set-id program then, which it was for somebody else.
 */
function setOwner(fd: number, status: FileStatus, about: string): void {
  const result = attempt("fchownat", fd, "", status.uid, status.gid, AT_EMPTY_PATH);
  if (result < 0 && result !== -EINVAL) throw new KernelError("fchownat", -result, about);
  call("fchmod", about, fd, result === 0 ? status.mode : status.mode & WITHOUT_SET_ID);
}
