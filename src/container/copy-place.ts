/**
 * The places that `cp` reads and writes, found below a descriptor of the root, be it the host's or a container's: whatever is
 * exchanged there meanwhile, nothing outside of it is found (openat2(2), RESOLVE_IN_ROOT).
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { filesystemOf, MAGIC } from "../linux/mount.ts";
import { linkTarget, O_DIRECTORY, O_NOFOLLOW, O_PATH, openInRoot, openInRootIfThere } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import { type CopyPath, type CopyTarget, notADirectory } from "./copy-rules.ts";

const SYMLINK_DEPTH_LIMIT = 40;

/** A tree that is copied from or to. */
export interface CopyTree {
  readonly root: Handle;
  /** A path of it, for messages. */
  readonly tell: (path: string) => string;
  /** Whether it is a container's: file systems that show the kernel's state are not copied there. */
  readonly isContainer: boolean;
}

function statusIn({ root }: CopyTree, path: string, flags: number): FileStatus | undefined {
  using found = openInRootIfThere(root.fd, path, O_PATH | flags);
  return found === undefined ? undefined : statusOfFd(found.fd, path);
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** The path that a link leads to, or a link of that; it need not be there. What is no link is itself. */
function follow(tree: CopyTree, path: string): string {
  let at = path;
  for (let depth = 0; depth < SYMLINK_DEPTH_LIMIT; depth++) {
    if (at === "/" || /(^|\/)\.{0,2}$/.test(at)) return at;
    using parent = openInRootIfThere(tree.root.fd, parentOf(at), O_PATH | O_DIRECTORY);
    const target = parent === undefined ? undefined : linkTarget(parent.fd, nameOf(at));
    if (target === undefined) return at;
    // Its `..` is left for the kernel to find: what is before it may be a link.
    at = target.startsWith("/") ? target : `${parentOf(at)}/${target}`;
  }
  throw new Failure(`'${tree.tell(path)}' leads through too many links`);
}

const KERNELS: readonly number[] = [MAGIC.proc, MAGIC.sysfs, MAGIC.devpts, MAGIC.cgroup, MAGIC.cgroup2];

/** What is not on a file system, but told by the kernel as it is read, has no size and is no file of the container's. */
function refuseKernels(tree: CopyTree, directory: string): void {
  if (!tree.isContainer) return;
  using found = openInRoot(tree.root.fd, directory, O_PATH | O_DIRECTORY);
  if (!KERNELS.includes(filesystemOf(found.fd, directory).magic)) return;
  throw new Failure(`'${tree.tell(directory)}' shows the kernel's state, which is not copied`, {
    hint: "read or write it by 'exec' with cat",
  });
}

export interface CopySource {
  /** In which directory it is, or which it is. */
  readonly directory: string;
  /** Its name there; undefined if it is that directory. */
  readonly only: string | undefined;
  readonly isDirectory: boolean;
}

/** What is to be copied. A link is copied as such, unless it is written as a directory, or links are followed. */
export function findSource(tree: CopyTree, source: CopyPath, followLinks: boolean): CopySource {
  const follows = followLinks || source.isDirectory || source.path === "/";
  const path = follows ? follow(tree, source.path) : source.path;
  const status = statusIn(tree, path, O_NOFOLLOW);
  if (status === undefined) {
    throw new Failure(`there is no '${tree.tell(source.path)}'`, {
      hint: path === source.path ? undefined : `it leads to '${path}', which is not there`,
    });
  }
  const isDirectory = status.type === "directory";
  if (source.isDirectory && !isDirectory) throw notADirectory(tree.tell(source.path));
  if (status.type === "socket") throw new Failure(`'${tree.tell(source.path)}' is a socket, which cannot be copied`);
  const directory = isDirectory ? path : parentOf(path);
  refuseKernels(tree, directory);
  return { directory, only: isDirectory ? undefined : nameOf(path), isDirectory };
}

export interface FoundTarget {
  readonly target: CopyTarget;
  /** The directory that is the target, or in which it is. */
  readonly directory: string;
}

/** Where a copy is to go. The directory that it is in has to be there. */
export function findTarget(tree: CopyTree, wanted: CopyPath): FoundTarget {
  const path = follow(tree, wanted.path);
  const status = statusIn(tree, path, O_NOFOLLOW);
  const directory = status?.type === "directory" ? path : parentOf(path);
  if (statusIn(tree, directory, O_DIRECTORY) === undefined) {
    throw new Failure(`there is no directory '${tree.tell(directory)}'`, { hint: "make it first" });
  }
  refuseKernels(tree, directory);
  refuseReadOnly(tree, directory);
  if (status?.type === "directory") return { target: { kind: "directory" }, directory };
  const name = nameOf(path);
  if (status === undefined) return { target: { kind: "missing", name }, directory };
  return { target: { kind: "other", type: status.type, name }, directory };
}

const ST_RDONLY = 1;

function refuseReadOnly(tree: CopyTree, directory: string): void {
  using found = openInRoot(tree.root.fd, directory, O_PATH | O_DIRECTORY);
  if ((filesystemOf(found.fd, directory).flags & ST_RDONLY) === 0) return;
  throw new Failure(`'${tree.tell(directory)}' is read-only`, {
    hint: tree.isContainer ? "copy into a volume of the container's that is not" : undefined,
  });
}

/** Directories that are not gone into, as the codec knows them: where other than volumes is mounted. */
export function mountsToSkip(tree: CopyTree, targets: readonly string[], copied: string): string[] {
  const keyOf = ({ on, inode }: FileStatus): string => `${on.major}:${on.minor}:${inode}`;
  const own = statusIn(tree, copied, O_DIRECTORY);
  const skipped = new Set<string>();
  for (const target of targets) {
    try {
      const status = statusIn(tree, target, O_DIRECTORY);
      if (status?.isMountRoot === true) skipped.add(keyOf(status));
    } catch (error) {
      // Links that lead nowhere: then it is not mounted there.
      if (!isErrno(error, "ELOOP")) throw error;
    }
  }
  if (own !== undefined) skipped.delete(keyOf(own));
  return [...skipped];
}
