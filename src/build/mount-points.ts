/**
 * What a container's mounts leave behind in its root: empty files and directories that were made to be mounted on. They are
 * nobody's change, and no part of a layer.
 */
import { attempt, isErrno } from "../linux/error.ts";
import { O_DIRECTORY, O_RDONLY, openHost } from "../linux/hostpath.ts";
import {
  linkTarget,
  O_NOFOLLOW,
  O_PATH,
  openDirectoryWithoutLinks,
  openEntryIfThere,
  openInRootIfThere,
} from "../linux/rootpath.ts";
import { statusOfFd } from "../linux/status.ts";

const AT_REMOVEDIR = 0x200;
/** As the kernel follows in one path (path_resolution(7)). */
const LINKS_LIMIT = 40;

const partsOf = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

/** A path of the root, its links put in place: also those that lead to what is only made for a mount. */
function withoutLinks(rootFd: number, path: string): string {
  const parts = partsOf(path);
  let done: string[] = [];
  for (let links = 0; parts.length > 0 && links <= LINKS_LIMIT; ) {
    const part = parts.shift() ?? "";
    if (part === "..") {
      done.pop();
      continue;
    }
    const at = [...done, part];
    using entry = openInRootIfThere(rootFd, at.join("/"), O_PATH | O_NOFOLLOW);
    const target =
      entry === undefined || statusOfFd(entry.fd, path).type !== "link" ? undefined : linkTarget(entry.fd, "");
    if (target === undefined) {
      done = at;
      continue;
    }
    links++;
    if (target.startsWith("/")) done = [];
    parts.unshift(...partsOf(target));
  }
  return done.join("/");
}

/** Of some paths, and the directories that they lie in, those that a root does not have: the outer ones first. */
export function missingIn(rootFd: number, paths: readonly string[]): string[] {
  const missing = new Set<string>();
  for (const path of paths) {
    const parts = partsOf(withoutLinks(rootFd, path));
    for (let count = 1; count <= parts.length; count++) {
      const prefix = parts.slice(0, count).join("/");
      if (missing.has(prefix)) continue;
      using found = openInRootIfThere(rootFd, prefix, O_PATH);
      if (found === undefined) missing.add(prefix);
    }
  }
  return [...missing].sort((one, other) => one.length - other.length);
}

/** Removes from a directory those of some paths that are empty. */
export function removeEmpty(directory: string, paths: readonly string[]): void {
  using root = openHost(directory, O_RDONLY | O_DIRECTORY);
  for (const path of [...paths].reverse()) {
    const slash = path.lastIndexOf("/");
    const name = path.slice(slash + 1);
    try {
      using parent = openDirectoryWithoutLinks(root.fd, slash < 0 ? "/" : path.slice(0, slash));
      using entry = openEntryIfThere(parent.fd, name, O_PATH);
      if (entry === undefined) continue;
      const { type, sizeBytes } = statusOfFd(entry.fd, path);
      // A directory that has something stays (ENOTEMPTY).
      if (type === "directory") attempt("unlinkat", parent.fd, name, AT_REMOVEDIR);
      else if (type === "file" && sizeBytes === 0) attempt("unlinkat", parent.fd, name, 0);
    } catch (error) {
      if (!isErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) throw error;
    }
  }
}
