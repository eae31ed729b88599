/**
 * Files inside a tree that its owner may change at any moment: a container's root. A path is resolved once, by
 * openat2(2) with RESOLVE_IN_ROOT, below a descriptor of the root; from then on only descriptors are used.
 */
import { arch, decode } from "./door.ts";
import { attempt, call, KernelError } from "./error.ts";
import { callForHandle, Handle } from "./fd.ts";

const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const O_DIRECTORY = arch === "aarch64" ? 0o40000 : 0o200000;
export const O_NOFOLLOW = arch === "aarch64" ? 0o100000 : 0o400000;

const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const RESOLVE_IN_ROOT = 0x10;

/** `struct open_how` (include/uapi/linux/openat2.h): flags, mode, resolve, 64 bits each, whose upper halves are 0. */
const OPEN_HOW_BYTES = 24;
const [FLAGS_AT, MODE_AT, RESOLVE_AT] = [0, 2, 4];

/** How often openat2(2) is asked again when something else renames in the same moment (EAGAIN). */
const RACE_RETRIES = 128;
const SYMLINK_DEPTH_LIMIT = 40;
const [ENOENT, EAGAIN, EEXIST, ENOTDIR, ELOOP] = [2, 11, 17, 20, 40];

function openat2(dirFd: number, path: string, flags: number, resolve: number, mode = 0): number {
  const how = new Uint32Array(OPEN_HOW_BYTES / 4);
  how[FLAGS_AT] = flags | O_CLOEXEC;
  how[MODE_AT] = (flags & O_CREAT) !== 0 ? mode : 0;
  how[RESOLVE_AT] = resolve;
  for (let tries = 0; tries < RACE_RETRIES; tries++) {
    const fd = attempt("openat2", dirFd, path, how, OPEN_HOW_BYTES);
    if (fd !== -EAGAIN) return fd;
  }
  return -EAGAIN;
}

function opened(fd: number, path: string): Handle {
  if (fd < 0) throw new KernelError("openat2", -fd, path);
  return new Handle(fd);
}

/**
 * Opens a path as a process whose root is `rootFd` would: absolute links and `..` stay inside; magic links
 * (/proc/self/fd/N and the like) are refused.
 */
export function openInRoot(rootFd: number, path: string, flags: number, mode = 0): Handle {
  return opened(openat2(rootFd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, mode), path);
}

/** As `openInRoot`, but undefined where there is no such file. */
export function openInRootIfThere(rootFd: number, path: string, flags: number): Handle | undefined {
  const fd = openat2(rootFd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  return fd === -ENOENT || fd === -ENOTDIR ? undefined : opened(fd, path);
}

/** Opens a path below a directory without any link on the way, nor another mount: for trees of the kernel's. */
export function openBeneath(dirFd: number, path: string, flags: number): Handle {
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return opened(openat2(dirFd, path, flags, resolve), path);
}

/** Opens a directory in the root where no part of its path may be a link. */
export function openDirectoryWithoutLinks(rootFd: number, path: string): Handle {
  return opened(openat2(rootFd, path, O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS), path);
}

/** Opens one name of a directory, and not what a link of that name points to. */
export function openEntry(dirFd: number, name: string, flags: number): Handle {
  return callForHandle("openat", name, dirFd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0);
}

/** As `openEntry`; undefined if there is nothing of that name. */
export function openEntryIfThere(dirFd: number, name: string, flags: number): Handle | undefined {
  const fd = attempt("openat", dirFd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0);
  return fd === -ENOENT ? undefined : opened(fd, name);
}

/** The path's parts, without empty ones and `.`. */
function stepsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** As `stepsOf`; `..` is resolved by the kernel and refused here. */
function partsOf(path: string): string[] {
  const parts = stepsOf(path);
  if (parts.includes("..")) throw new KernelError("openat2", ENOENT, `${path} (".." in a path that is to be made)`);
  return parts;
}

/**
 * The directory of that path in the root, made where it is missing. Links on the way are followed inside the root,
 * also those that point to what is not there yet.
 */
export function makeDirectoriesInRoot(rootFd: number, path: string, mode = 0o755): Handle {
  return openInRootIfThere(rootFd, path, O_PATH | O_DIRECTORY) ?? makeMissingDirectories(rootFd, path, mode);
}

/** As `makeDirectoriesInRoot`, of a path that was not there a moment ago. */
export function makeMissingDirectories(rootFd: number, path: string, mode = 0o755): Handle {
  return makeInParent(rootFd, path, mode) ?? makePartByPart(rootFd, partsOf(path), mode);
}

/** The usual case: only the last part is missing. Undefined if it is not so simple. */
function makeInParent(rootFd: number, path: string, mode: number): Handle | undefined {
  const parts = partsOf(path);
  const name = parts.pop();
  if (name === undefined) return undefined;
  using parent = openInRootIfThere(rootFd, parts.length === 0 ? "/" : parts.join("/"), O_PATH | O_DIRECTORY);
  if (parent === undefined || attempt("mkdirat", parent.fd, name, mode) < 0) return undefined;
  return openEntry(parent.fd, name, O_PATH | O_DIRECTORY);
}

/** Links are put in place of what they stand for, so that `..` in them is what comes before in what is `done`. */
function makePartByPart(rootFd: number, path: readonly string[], mode: number): Handle {
  const parts = [...path];
  let done = "/";
  let linksLeft = SYMLINK_DEPTH_LIMIT;
  let current = openInRoot(rootFd, "/", O_PATH | O_DIRECTORY);
  while (parts.length > 0) {
    const part = parts.shift() ?? "";
    const next = `${done === "/" ? "" : done}/${part}`;
    const made = attempt("mkdirat", current.fd, part, mode);
    if (made < 0 && made !== -EEXIST) {
      current.close();
      throw new KernelError("mkdirat", -made, next);
    }
    const target = made === -EEXIST ? linkTarget(current.fd, part) : undefined;
    if (target !== undefined) {
      if (linksLeft-- === 0) throw new KernelError("mkdirat", ELOOP, next);
      parts.unshift(...stepsOf(target));
      if (target.startsWith("/")) done = "/";
      current.close();
      current = openInRoot(rootFd, done, O_PATH | O_DIRECTORY);
      continue;
    }
    current.close();
    if (part === "..") done = done.slice(0, done.lastIndexOf("/")) || "/";
    else done = next;
    current = openInRoot(rootFd, done, O_PATH | O_DIRECTORY);
  }
  return current;
}

/** Where a link leads; undefined for what is none. With "" for the name, a descriptor of the link itself (O_PATH). */
export function linkTarget(dirFd: number, name: string): string | undefined {
  const buffer = new Uint8Array(4096);
  const length = attempt("readlinkat", dirFd, name, buffer, buffer.length);
  return length < 0 ? undefined : decode(buffer, 0, length);
}

/**
 * The file of that path in the root as an O_PATH handle; made, empty, where there is nothing (a target for a bind mount), or a
 * link to nothing: then where that points to, in the root.
 */
export function makeFileInRoot(rootFd: number, path: string, mode = 0o644): Handle {
  return makeFile(rootFd, partsOf(path), mode, SYMLINK_DEPTH_LIMIT);
}

function makeFile(rootFd: number, parts: readonly string[], mode: number, linksLeft: number): Handle {
  const path = `/${parts.join("/")}`;
  const there = openInRootIfThere(rootFd, path, O_PATH);
  if (there !== undefined) return there;
  const [above, name = "."] = [parts.slice(0, -1), parts.at(-1)];
  using parent =
    openInRootIfThere(rootFd, `/${above.join("/")}`, O_PATH | O_DIRECTORY) ?? makePartByPart(rootFd, above, 0o755);
  const target = linkTarget(parent.fd, name);
  if (target !== undefined) {
    if (linksLeft === 0) throw new KernelError("openat", ELOOP, path);
    const from = target.startsWith("/") ? [] : above;
    return makeFile(rootFd, [...from, ...stepsOf(target)], mode, linksLeft - 1);
  }
  const fd = attempt("openat", parent.fd, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0 && fd !== -EEXIST) throw new KernelError("openat", -fd, path);
  if (fd >= 0) attempt("close", fd);
  return openEntry(parent.fd, name, O_PATH);
}

/** Makes a device node in an open directory (mknod(2)); `type` is S_IFCHR, S_IFBLK or S_IFIFO. */
export function makeNode(dirFd: number, name: string, type: number, mode: number, major: number, minor: number): void {
  // The kernel's encoding of a device number for the call: include/linux/kdev_t.h, new_encode_dev.
  const device = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  call("mknodat", name, dirFd, name, type | mode, device >>> 0);
}

export function makeLinkAt(target: string, dirFd: number, name: string): void {
  call("symlinkat", name, target, dirFd, name);
}
