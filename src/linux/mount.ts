/**
 * The mount calls: fsopen(2) and its kin, which work on descriptors, and what is left of mount(2).
 */

import { cString } from "./door.ts";
import { attempt, call, KernelError } from "./error.ts";
import { AT_FDCWD, callForHandle, type Handle } from "./fd.ts";
import { struct } from "./struct.ts";

export const MS = {
  rdonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  remount: 0x20,
  nosymfollow: 0x100,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: 0x1000,
  move: 0x2000,
  rec: 0x4000,
  unbindable: 1 << 17,
  private: 1 << 18,
  slave: 1 << 19,
  shared: 1 << 20,
  relatime: 1 << 21,
  strictatime: 1 << 24,
} as const;

/** Attributes of a mount: mount_setattr(2), fsmount(2). */
export const ATTR = {
  rdonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  atimeMask: 0x70,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  idmap: 0x100000,
  nosymfollow: 0x200000,
} as const;

export const MNT_DETACH = 2;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const OPEN_TREE_CLONE = 1;
const O_CLOEXEC = 0o2000000;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG = { flag: 0, string: 1, fd: 5, create: 6, reconfigure: 7 } as const;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MESSAGE_BYTES = 1024;

/** `struct mount_attr`: include/uapi/linux/mount.h. */
const mountAttr = struct({ set: "u64", clear: "u64", propagation: "u64", usernsFd: "u64" });

/** mount(2) on a path of the host. */
export function mount(
  source: string,
  target: string,
  type: string | null,
  flags: number,
  data: string | null = null,
): void {
  call("mount", target, source, target, type, flags, data);
}

/** umount2(2). */
export function unmount(target: string, flags: number): void {
  call("umount2", target, target, flags);
}

/** A context for a new file system of that type (`overlay`, `proc`, `tmpfs`, ...). */
export function openFilesystem(type: string): Handle {
  return callForHandle("fsopen", type, type, FSOPEN_CLOEXEC);
}

/** What the kernel wrote into the context of a file system about its refusal: more than an errno says. */
function lastMessage(contextFd: number): string {
  const buffer = new Uint8Array(MESSAGE_BYTES);
  const length = attempt("read", contextFd, buffer, buffer.length);
  return length > 2 ? cString(buffer.subarray(0, length), 2).trim() : "";
}

function configure(
  contextFd: number,
  about: string,
  command: number,
  key: string | null,
  value: string | null,
  aux = 0,
): void {
  const result = attempt("fsconfig", contextFd, command, key, value, aux);
  if (result >= 0) return;
  const message = lastMessage(contextFd);
  throw new KernelError("fsconfig", -result, message === "" ? about : `${about}: ${message}`);
}

/** Sets an option of a file system that is being made; at most 255 bytes of value. */
export function setOption(contextFd: number, key: string, value: string): void {
  configure(contextFd, `${key}=${value}`, FSCONFIG.string, key, value);
}

export function setFlag(contextFd: number, key: string): void {
  configure(contextFd, key, FSCONFIG.flag, key, null);
}

/** Makes the file system of a context and a mount of it that is attached nowhere; `attributes` of ATTR. */
export function createDetached(contextFd: number, about: string, attributes: number): Handle {
  configure(contextFd, about, FSCONFIG.create, null, null);
  return callForHandle("fsmount", about, contextFd, FSMOUNT_CLOEXEC, attributes);
}

/** A copy of a mount (or of the tree of mounts), attached nowhere: `path` is below `dirFd`, or that itself if empty. */
export function cloneTree(dirFd: number, path: string, options: { recursive: boolean; followLinks?: boolean }): Handle {
  const flags =
    OPEN_TREE_CLONE |
    O_CLOEXEC |
    (options.recursive ? AT_RECURSIVE : 0) |
    (path === "" ? AT_EMPTY_PATH : 0) |
    (options.followLinks === false ? AT_SYMLINK_NOFOLLOW : 0);
  return callForHandle("open_tree", path, dirFd, path, flags);
}

/** As `cloneTree`, of a path of the host. */
export function cloneHostTree(path: string, options: { recursive: boolean; followLinks?: boolean }): Handle {
  return cloneTree(AT_FDCWD, path, options);
}

/** Attaches a detached mount onto what `targetFd` is. */
export function attach(mountFd: number, targetFd: number, about: string): void {
  call("move_mount", about, mountFd, "", targetFd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

export interface AttributeChange {
  readonly set?: number;
  readonly clear?: number;
  /** One of MS.private, MS.slave, MS.shared, MS.unbindable. */
  readonly propagation?: number;
  /** A user namespace whose mapping the mount takes (with ATTR.idmap in `set`). */
  readonly usernsFd?: number;
  readonly recursive?: boolean;
}

/** mount_setattr(2) on a mount's descriptor. Returns 0 or `-errno`: on kernels before 5.12 it is `-ENOSYS`. */
export function changeAttributes(mountFd: number, change: AttributeChange): number {
  const attributes = mountAttr.encode({
    set: change.set ?? 0,
    clear: change.clear ?? 0,
    propagation: change.propagation ?? 0,
    usernsFd: change.usernsFd ?? 0,
  });
  const flags = AT_EMPTY_PATH | (change.recursive === true ? AT_RECURSIVE : 0);
  return attempt("mount_setattr", mountFd, "", flags, attributes, mountAttr.size);
}

/** Swaps the root: the working directory becomes the root, the old root is stacked over it (pivot_root(2), NOTES). */
export function pivotRootHere(): void {
  call("pivot_root", ".", ".", ".");
}

const STATFS_BYTES = 120;

/** The magic number of the file system that a descriptor lies on, and its mount flags: statfs(2). */
export function filesystemOf(fd: number, about = ""): { magic: number; flags: number; blockBytes: number } {
  const buffer = new Uint8Array(STATFS_BYTES);
  call("fstatfs", about, fd, buffer);
  const view = new DataView(buffer.buffer);
  return {
    magic: Number(view.getBigInt64(0, true)),
    blockBytes: Number(view.getBigInt64(8, true)),
    flags: Number(view.getBigInt64(80, true)),
  };
}

export const MAGIC = {
  proc: 0x9fa0,
  devpts: 0x1cd1,
  sysfs: 0x62656572,
  tmpfs: 0x01021994,
  cgroup: 0x27e0eb,
  cgroup2: 0x63677270,
  overlay: 0x794c7630,
} as const;
