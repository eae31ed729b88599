/**
 * Makes a root file system from its steps. Runs in the container's first process, in its new mount namespace, while the
 * root is attached but not yet pivoted to. The tree is in the hands of whoever made the image: every path in it is resolved
 * once, below the root's descriptor, and what was found is used by its descriptor from then on.
 */
import { Failure, unreachable } from "../failure.ts";
import { setAttributes } from "../linux/attributes.ts";
import { decode } from "../linux/door.ts";
import { attempt, call, isErrno } from "../linux/error.ts";
import { Handle } from "../linux/fd.ts";
import {
  ATTR,
  attach,
  cloneTree,
  createDetached,
  filesystemOf,
  MAGIC,
  openFilesystem,
  setFlag,
  setOption,
} from "../linux/mount.ts";
import {
  makeDirectoriesInRoot,
  makeFileInRoot,
  makeLinkAt,
  makeMissingDirectories,
  makeNode,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openDirectoryWithoutLinks,
  openEntry,
  openInRoot,
  openInRootIfThere,
} from "../linux/rootpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { openPty, type Pty, setWindowSize } from "../linux/tty.ts";
import { finishBind, finishLocked } from "./bind-attributes.ts";
import { copyUp } from "./copy-up.ts";
import { labelFacts } from "./labels.ts";
import { mountError, unquoted } from "./mount-data.ts";
import { isCoverableInProc, isProcPath } from "./plan-root.ts";
import type {
  BindStep,
  ConsoleStep,
  DirectoryStep,
  FilesystemStep,
  LinkStep,
  NodeStep,
  RootStep,
} from "./root-steps.ts";
import { NODE_TYPE } from "./root-steps.ts";

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;
const MNT_DETACH = 2;
/** include/linux/proc_fs.h, PROC_ROOT_INO. */
const PROC_ROOT_INODE = 1;
const LINK_LIMIT_BYTES = 4096;
const NULL_DEVICE = { major: 1, minor: 3 } as const;

/** The root that steps are applied to, and what they share. */
export class ContainerRoot implements Disposable {
  /** The terminal, once a console step has made it. */
  pty: Pty | undefined;
  readonly #rootFd: number;
  readonly #bindSources: ReadonlyMap<BindStep, Handle>;
  readonly #sourcesAreLocked: boolean;
  readonly #mapIds: (mount: Handle, step: BindStep) => void;
  #cover: Handle | undefined;
  #null: Handle | undefined;
  /** The directory that was used last: steps for /dev come one after another. */
  #lastDirectory: { path: string; handle: Handle } | undefined;

  /**
   * @param bindSources what the host's process has opened for each bind step, as a detached mount
   * @param sourcesAreLocked whether they have the attributes of their steps already, for good
   * @param mapIds has the host's process map the ids of a mount that is made here
   */
  constructor(
    rootFd: number,
    bindSources: ReadonlyMap<BindStep, Handle>,
    sourcesAreLocked: boolean,
    mapIds: (mount: Handle, step: BindStep) => void,
  ) {
    this.#rootFd = rootFd;
    this.#bindSources = bindSources;
    this.#sourcesAreLocked = sourcesAreLocked;
    this.#mapIds = mapIds;
  }

  [Symbol.dispose](): void {
    this.#forgetDirectory();
    this.#cover?.close();
    this.#null?.close();
    this.pty?.slave.close();
    this.pty?.master.close();
  }

  apply(step: RootStep): void {
    switch (step.do) {
      case "mount":
        return this.#mount(step);
      case "bind":
        return this.#bind(step);
      case "node":
        return this.#node(step);
      case "link":
        return this.#link(step);
      case "mask":
        return this.#mask(step.path);
      case "read-only":
        return this.#makeReadonly(step.path, step.alone !== true);
      case "directory":
        return this.#directory(step);
      case "console":
        return this.#console(step);
      default:
        return unreachable(step);
    }
  }

  #mount(step: FilesystemStep): void {
    const there = step.refuseLinks
      ? this.#plainDirectory(step.target)
      : openInRootIfThere(this.#rootFd, step.target, O_PATH | O_DIRECTORY);
    using target = there ?? makeMissingDirectories(this.#rootFd, step.target);
    if (step.type !== "proc") refuseInProc(target, step.target);
    using mount = newMount(there === undefined ? step : withModeOf(there, step));
    if (step.copyUp === true && there !== undefined) copyUp(there.fd, mount.fd, step.target);
    this.#attach(mount, target, step.target);
    const { propagation = 0, propagationRecursive: recursive = false } = step;
    const set = step.attributes & ATTR.nosymfollow;
    if (propagation !== 0 || set !== 0) setAttributes(mount.fd, step.target, { set, propagation, recursive });
  }

  #attach(mount: Handle, target: Handle, path: string): void {
    this.#forgetDirectory();
    attach(mount.fd, target.fd, path);
  }

  /** The directory of that path, where no part of the path may be a link: nobody else chooses what is mounted over. */
  #plainDirectory(path: string): Handle {
    try {
      try {
        return openDirectoryWithoutLinks(this.#rootFd, path);
      } catch (error) {
        if (!isErrno(error, "ENOENT")) throw error;
        makeDirectoriesInRoot(this.#rootFd, path).close();
        return openDirectoryWithoutLinks(this.#rootFd, path);
      }
    } catch (error) {
      if (!isErrno(error, "ELOOP", "ENOTDIR")) throw error;
      throw new Failure(`${path} must be mounted on ordinary directory: in the image it is a link, or none`, {
        hint: "use an image in which it is a plain directory",
        cause: error,
      });
    }
  }

  #bind(step: BindStep): void {
    const mount = step.inside === undefined ? this.#bindSources.get(step) : this.#cloneInside(step, step.inside);
    if (mount === undefined) throw new Error(`the source of the bind mount on ${step.target} has not been opened`);
    const { type } = statusOfFd(mount.fd, step.source);
    if (type === "link" && step.sourceLink === "copy") {
      this.#link({ do: "link", path: step.target, to: linkText(mount.fd, step.source) });
      mount.close();
      return;
    }
    using target = this.#bindTarget(step, type === "directory");
    if (type !== "directory" && statusOfFd(target.fd, step.target).type === "directory") {
      throw new Failure(`cannot mount the file ${step.source} on the directory ${step.target}`);
    }
    refuseFalseProc(mount, step);
    if (!isProcRoot(mount, step.source)) refuseInProc(target, step.target);
    this.#attach(mount, target, step.target);
    if (this.#sourcesAreLocked && step.inside === undefined) finishLocked(mount, step);
    else finishBind(mount, step);
    mount.close();
  }

  /** What the container has at a path by now. It is looked up in its root, so that no link leads out of that. */
  #cloneInside(step: BindStep, path: string): Handle {
    using source = openInRoot(this.#rootFd, path, step.sourceLink === undefined ? O_PATH : O_PATH | O_NOFOLLOW);
    const mount = cloneTree(source.fd, "", { recursive: step.recursive });
    if (step.idMaps !== undefined) this.#mapIds(mount, step);
    return mount;
  }

  #bindTarget(step: BindStep, isDirectory: boolean): Handle {
    if (step.onLink === true) {
      const there = openInRootIfThere(this.#rootFd, step.target, O_PATH | O_NOFOLLOW);
      if (there !== undefined) return there;
    }
    return isDirectory ? makeDirectoriesInRoot(this.#rootFd, step.target) : makeFileInRoot(this.#rootFd, step.target);
  }

  #forgetDirectory(): void {
    this.#lastDirectory?.handle.close();
    this.#lastDirectory = undefined;
  }

  /** The directory that a path is to be made in, and the path's last part. */
  #parentOf(path: string): { fd: number; name: string } {
    const slash = path.lastIndexOf("/");
    const parent = path.slice(0, slash) || "/";
    if (this.#lastDirectory?.path !== parent) {
      this.#forgetDirectory();
      this.#lastDirectory = { path: parent, handle: makeDirectoriesInRoot(this.#rootFd, parent) };
    }
    return { fd: this.#lastDirectory.handle.fd, name: path.slice(slash + 1) };
  }

  #node(step: NodeStep): void {
    const { fd, name } = this.#parentOf(step.path);
    try {
      makeNode(fd, name, NODE_TYPE[step.type], step.mode, step.major, step.minor);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      using there = openEntry(fd, name, O_PATH);
      const status = statusOfFd(there.fd, step.path);
      const same = status.device.major === step.major && status.device.minor === step.minor;
      if (status.type !== step.type || !same)
        throw new Failure(`${step.path} of the image is there and is another file: refused`);
    }
    if (step.uid !== 0 || step.gid !== 0)
      call("fchownat", step.path, fd, name, step.uid, step.gid, AT_SYMLINK_NOFOLLOW);
  }

  #link(step: LinkStep): void {
    const { fd, name } = this.#parentOf(step.path);
    try {
      makeLinkAt(step.to, fd, name);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
    }
  }

  #directory(step: DirectoryStep): void {
    using there = openInRootIfThere(this.#rootFd, step.path, O_PATH);
    if (there !== undefined) return;
    using made = makeDirectoriesInRoot(this.#rootFd, step.path, step.mode);
    if (step.uid !== 0 || step.gid !== 0) call("fchownat", step.path, made.fd, "", step.uid, step.gid, AT_EMPTY_PATH);
  }

  /**
   * Attaches an empty, read-only tmpfs: what masks a directory. One serves for all: copies of the first mask, which stays open.
   * It is attached itself, since to close what is attached nowhere waits for a grace period of the kernel's.
   */
  #coverDirectory(target: Handle, path: string): void {
    if (this.#cover === undefined) {
      this.#cover = newEmptyDirectory();
      return this.#attach(this.#cover, target, path);
    }
    using copy = cloneTree(this.#cover.fd, "", { recursive: false });
    this.#attach(copy, target, path);
  }

  #nullDevice(): Handle {
    this.#null ??= this.#findNullDevice();
    return cloneTree(this.#null.fd, "", { recursive: false });
  }

  /**
   * The null device: the container's own, if that is what its /dev/null is (CVE-2025-31133), else the host's, which is still to
   * be seen here.
   */
  #findNullDevice(): Handle {
    const own = openInRootIfThere(this.#rootFd, "/dev/null", O_PATH | O_NOFOLLOW);
    if (own !== undefined && isNullDevice(own.fd)) return own;
    own?.close();
    const host = openEntry(AT_FDCWD, "/dev/null", O_PATH);
    if (isNullDevice(host.fd)) return host;
    host.close();
    throw new Failure("/dev/null of the host is not the null device", {
      hint: "make it anew: mknod -m 666 /dev/null c 1 3",
    });
  }

  #mask(path: string): void {
    using target = openInRootIfThere(this.#rootFd, path, O_PATH);
    if (target === undefined) return;
    if (statusOfFd(target.fd, path).type === "directory") return this.#coverDirectory(target, path);
    using cover = this.#nullDevice();
    this.#attach(cover, target, path);
  }

  #makeReadonly(path: string, recursive: boolean): void {
    using target = openInRootIfThere(this.#rootFd, path, O_PATH);
    if (target === undefined) return;
    if (statusOfFd(target.fd, path).isMountRoot) {
      setAttributes(target.fd, path, { set: ATTR.rdonly, recursive });
      return;
    }
    using mount = cloneTree(target.fd, "", { recursive: true });
    this.#attach(mount, target, path);
    setAttributes(mount.fd, path, { set: ATTR.rdonly, recursive: true });
  }

  #console(step: ConsoleStep): void {
    using pts = openInRoot(this.#rootFd, "/dev/pts", O_DIRECTORY);
    const pty = openPty(pts.fd);
    this.pty = pty;
    if (step.rows > 0 && step.columns > 0) setWindowSize(pty.slave.fd, { rows: step.rows, columns: step.columns });
    using target = makeFileInRoot(this.#rootFd, "/dev/console", 0o600);
    using mount = cloneTree(pty.slave.fd, "", { recursive: false });
    this.#attach(mount, target, "/dev/console");
  }
}

/** The file system of a step, mounted nowhere yet. */
function newMount(step: FilesystemStep): Handle {
  try {
    using context = openFilesystem(step.type);
    setOption(context.fd, "source", step.source);
    for (const flag of step.superblock ?? []) setFlag(context.fd, flag);
    const label = step.label !== undefined && labelFacts().selinux ? [step.label] : [];
    for (const option of [...step.data, ...label]) {
      const equals = option.indexOf("=");
      if (equals < 0) setFlag(context.fd, option);
      else setOption(context.fd, option.slice(0, equals), unquoted(option.slice(equals + 1)));
    }
    // fsmount(2) knows that one since Linux 5.14.
    return createDetached(context.fd, `${step.type} on ${step.target}`, step.attributes & ~ATTR.nosymfollow);
  } catch (error) {
    throw mountError(error, step);
  }
}

/** A process file system is covered nowhere but where that is harmless, however the path led into it: R5. */
function refuseInProc(target: Handle, path: string): void {
  if (filesystemOf(target.fd, path).magic === MAGIC.proc && !isCoverableInProc(path)) {
    throw new Failure(`'${path}' cannot be mounted because it is inside /proc`);
  }
}

function isProcRoot(mount: Handle, about: string): boolean {
  return filesystemOf(mount.fd, about).magic === MAGIC.proc && statusOfFd(mount.fd, about).inode === PROC_ROOT_INODE;
}

/** What is bound to /proc is a process file system: what writes there later must reach the kernel. */
function refuseFalseProc(mount: Handle, { source, target }: BindStep): void {
  if (isProcPath(target) && !isProcRoot(mount, source)) {
    throw new Failure(`'${source}' cannot be mounted on ${target} because it is not of type proc`);
  }
}

function linkText(fd: number, about: string): string {
  const buffer = new Uint8Array(LINK_LIMIT_BYTES);
  return decode(buffer, 0, call("readlinkat", about, fd, "", buffer, buffer.length));
}

/** A tmpfs that is not told its mode has that of the directory which it covers, as with runc. */
function withModeOf(directory: Handle, step: FilesystemStep): FilesystemStep {
  if (step.type !== "tmpfs" || step.data.some((option) => option.startsWith("mode="))) return step;
  const { mode } = statusOfFd(directory.fd, step.target);
  return { ...step, data: [...step.data, `mode=${mode.toString(8)}`] };
}

function newEmptyDirectory(): Handle {
  using context = openFilesystem("tmpfs");
  setOption(context.fd, "size", "0");
  setOption(context.fd, "mode", "555");
  setOption(context.fd, "nr_inodes", "2");
  return createDetached(context.fd, "tmpfs for masks", ATTR.rdonly | ATTR.nosuid | ATTR.nodev | ATTR.noexec);
}

/** Whether an open file is the null device, and nothing else of that name. */
export function isNullDevice(fd: number): boolean {
  const { type, device } = statusOfFd(fd, "/dev/null");
  return type === "character" && device.major === NULL_DEVICE.major && device.minor === NULL_DEVICE.minor;
}

/** Makes the tree below `rootFd`, an attached mount, the root of this process and of its mount namespace. */
export function pivotTo(rootFd: number): void {
  call("fchdir", "/", rootFd);
  call("pivot_root", ".", ".", ".");
  // The old root is now stacked upon the new one, at the working directory: pivot_root(2), NOTES.
  call("umount2", ".", ".", MNT_DETACH);
  call("chdir", "/", "/");
}

/** Attaches a detached root at a directory of the host's, in this mount namespace, so that it can be pivoted to. */
export function attachRoot(rootMount: Handle, path: string): void {
  using target = openDirectory(path) ?? openEntry(AT_FDCWD, "/", O_PATH);
  attach(rootMount.fd, target.fd, "root file system");
}

/** A directory of the host's; undefined if the root of a user namespace may not go there. */
function openDirectory(path: string): Handle | undefined {
  const fd = attempt("openat", AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  return fd < 0 ? undefined : new Handle(fd);
}
