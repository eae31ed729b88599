/**
 * Copying files of a tree into a root that is being built: with modes, times and links; owners and extended attributes where the
 * tree keeps them. What comes from the tree is opened name by name below descriptors, and no link of it is followed.
 */
import { Failure } from "../failure.ts";
import { timespec } from "../linux/clock.ts";
import { attempt, call, isErrno, KernelError } from "../linux/error.ts";
import { Handle, O_NONBLOCK } from "../linux/fd.ts";
import { writeAll } from "../linux/io.ts";
import {
  linkTarget,
  makeLinkAt,
  makeNode,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openEntry,
  openEntryIfThere,
  openInRoot,
} from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import { entriesIn, isOnlyPassed, join, type Tree } from "./tree.ts";
import { keptXattrs } from "./xattrs.ts";

const O_RDONLY = 0;
const O_CREATE_NEW = 0o1 | 0o100 | 0o200;
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const COPY_BYTES = 1 << 30;
const [EXDEV, EINVAL, ENOSYS, EOPNOTSUPP] = [18, 22, 38, 95];
const NODES = { fifo: 0o010000, character: 0o020000, block: 0o060000 } as const;

export interface CopyRules {
  /** Undefined: as the files have them, if the tree keeps them, else root's. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** The mode of a copy, from that of what is copied. */
  readonly modeOf: (mode: number, isDirectory: boolean) => number;
  /** By paths of the tree. */
  readonly isExcluded: (path: string) => boolean;
}

/** A copy under way. */
export interface Copying {
  readonly tree: Tree;
  /** What is being built. */
  readonly root: Handle;
  readonly rules: CopyRules;
  /** Where the first name of a file that has several was copied to. */
  readonly linked: Map<string, string>;
}

/** A directory of the root that is being built. */
interface Place {
  readonly fd: number;
  /** From the root on. */
  readonly path: string;
}

const ownerOf = ({ tree, rules }: Copying, status: FileStatus) =>
  rules.owner ?? (tree.keepsOwners ? status : { uid: 0, gid: 0 });

/** Of access and change, for utimensat(2). */
function timesOf(status: FileStatus): Uint8Array {
  const time = timespec.encode({ seconds: status.modified, nanoseconds: status.modifiedNanoseconds });
  const times = new Uint8Array(timespec.size * 2);
  times.set(time);
  times.set(time, timespec.size);
  return times;
}

function copyXattrs(from: number, to: number, about: string): void {
  for (const { name, value } of keptXattrs(from)) {
    call("fsetxattr", `${about} (${name})`, to, name, value, value.length, 0);
  }
}

/** Owner first: a change of owner takes set-id bits and capabilities away. */
export function setAttributes(copying: Copying, from: number, to: number, status: FileStatus, about: string): void {
  const { uid, gid } = ownerOf(copying, status);
  call("fchown", about, to, uid, gid);
  call("fchmod", about, to, copying.rules.modeOf(status.mode, status.type === "directory"));
  if (copying.tree.keepsOwners) copyXattrs(from, to, about);
  call("utimensat", about, to, null, timesOf(status), 0);
}

function copyData(from: number, to: number, about: string): void {
  for (;;) {
    const count = attempt("copy_file_range", from, null, to, null, COPY_BYTES, 0);
    if (count === 0) return;
    if (count < 0) {
      if (![-EXDEV, -EINVAL, -ENOSYS, -EOPNOTSUPP].includes(count))
        throw new KernelError("copy_file_range", -count, about);
      while (call("sendfile", about, to, from, null, COPY_BYTES) > 0) {}
      return;
    }
  }
}

/** Makes way for a file: what else is there goes, but no directory. */
function clear(place: Place, name: string): void {
  using there = openEntryIfThere(place.fd, name, O_PATH);
  if (there === undefined) return;
  if (statusOfFd(there.fd, name).type === "directory") {
    throw new Failure(`cannot copy a file to /${join(place.path, name)}: there is a directory`, {
      hint: "end the target with '/' to copy into it",
    });
  }
  call("unlinkat", name, place.fd, name, 0);
}

/** Links to the copy of another name of the same file. Whether there is one. */
function linkedBefore(copying: Copying, status: FileStatus, place: Place, name: string): boolean {
  if (status.links < 2) return false;
  const key = `${status.on.major}:${status.on.minor}:${status.inode}`;
  const first = copying.linked.get(key);
  if (first === undefined) {
    copying.linked.set(key, join(place.path, name));
    return false;
  }
  const slash = first.lastIndexOf("/");
  using directory = openInRoot(copying.root.fd, slash < 0 ? "/" : first.slice(0, slash), O_PATH | O_DIRECTORY);
  call("linkat", first, directory.fd, first.slice(slash + 1), place.fd, name, 0);
  return true;
}

function copyFile(copying: Copying, from: number, fromName: string, place: Place, name: string, about: string): void {
  // Whatever it is by now, it does not hold us up.
  using source = openEntry(from, fromName, O_RDONLY | O_NONBLOCK);
  const status = statusOfFd(source.fd, about);
  if (status.type !== "file") throw new Failure(`${about} was exchanged while it was copied`);
  clear(place, name);
  if (linkedBefore(copying, status, place, name)) return;
  using made = new Handle(call("openat", about, place.fd, name, O_CREATE_NEW | O_NOFOLLOW | O_CLOEXEC, 0o600));
  copyData(source.fd, made.fd, about);
  setAttributes(copying, source.fd, made.fd, status, about);
}

function copyLink(
  copying: Copying,
  entry: Handle,
  status: FileStatus,
  place: Place,
  name: string,
  about: string,
): void {
  clear(place, name);
  makeLinkAt(linkTarget(entry.fd, "") ?? "", place.fd, name);
  const { uid, gid } = ownerOf(copying, status);
  call("fchownat", about, place.fd, name, uid, gid, AT_SYMLINK_NOFOLLOW);
  call("utimensat", about, place.fd, name, timesOf(status), AT_SYMLINK_NOFOLLOW);
}

function copyNode(copying: Copying, status: FileStatus, place: Place, name: string, about: string): void {
  const { type, device } = status;
  if (type !== "fifo" && type !== "character" && type !== "block") return; // sockets are of the process that made them
  // To an overlay such a device says that something is not there: an archive must not take away what lies below it.
  if (type === "character" && device.major === 0 && device.minor === 0) return;
  clear(place, name);
  makeNode(place.fd, name, NODES[type], status.mode, device.major, device.minor);
  const { uid, gid } = ownerOf(copying, status);
  call("fchownat", about, place.fd, name, uid, gid, AT_SYMLINK_NOFOLLOW);
  call("fchmodat", about, place.fd, name, copying.rules.modeOf(status.mode, false));
}

/** A directory in a place, made if it is not there; a link that leads to one inside the root is followed. */
function makeDirectory(copying: Copying, place: Place, name: string): { directory: Handle; isNew: boolean } {
  const path = join(place.path, name);
  const isNew = attempt("mkdirat", place.fd, name, 0o755) === 0;
  try {
    return { directory: openInRoot(copying.root.fd, path, O_RDONLY | O_DIRECTORY), isNew };
  } catch (error) {
    if (!isErrno(error, "ENOTDIR", "ELOOP", "ENOENT")) throw error;
    throw new Failure(`cannot copy a directory to /${path}: there is something else`, { cause: error });
  }
}

/** Copies all that a directory has into another. */
export function copyContents(copying: Copying, from: Handle, fromPath: string, place: Place): void {
  for (const { name } of entriesIn(copying.tree, from, fromPath)) {
    copyEntry(copying, { fd: from.fd, name, path: join(fromPath, name) }, place, name);
  }
}

/** Copies one entry of a directory into a place, by a name that may be another. */
export function copyEntry(
  copying: Copying,
  from: { readonly fd: number; readonly name: string; readonly path: string },
  place: Place,
  name: string,
): void {
  const { tree, rules } = copying;
  const about = `${from.path} of ${tree.about}`;
  if (rules.isExcluded(from.path)) return;
  using entry = openEntry(from.fd, from.name, O_PATH);
  const status = statusOfFd(entry.fd, about);
  switch (status.type) {
    case "directory":
      return copyDirectory(copying, from, status, place, name);
    case "file":
      return copyFile(copying, from.fd, from.name, place, name, about);
    case "link":
      return copyLink(copying, entry, status, place, name, about);
    default:
      return copyNode(copying, status, place, name, about);
  }
}

function copyDirectory(
  copying: Copying,
  from: { readonly fd: number; readonly name: string; readonly path: string },
  status: FileStatus,
  place: Place,
  name: string,
): void {
  using source = openEntry(from.fd, from.name, O_RDONLY | O_DIRECTORY);
  const { directory, isNew } = makeDirectory(copying, place, name);
  using target = directory;
  copyContents(copying, source, from.path, { fd: target.fd, path: join(place.path, name) });
  if (isOnlyPassed(copying.tree, from.path)) {
    // It is ignored itself: it is there only if something in it is not.
    if (isNew) attempt("unlinkat", place.fd, name, AT_REMOVEDIR);
    return;
  }
  setAttributes(copying, source.fd, target.fd, status, `${from.path} of ${copying.tree.about}`);
}

/** A text as a file: what a heredoc of COPY is. */
export function writeText(
  { owner, modeOf }: Pick<CopyRules, "owner" | "modeOf">,
  text: string,
  place: Place,
  name: string,
): void {
  clear(place, name);
  using made = new Handle(call("openat", name, place.fd, name, O_CREATE_NEW | O_NOFOLLOW | O_CLOEXEC, 0o600));
  writeAll(made.fd, text, name);
  const { uid, gid } = owner ?? { uid: 0, gid: 0 };
  call("fchown", name, made.fd, uid, gid);
  call("fchmod", name, made.fd, modeOf(0o644, false));
}
