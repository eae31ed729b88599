/**
 * Trees that COPY, ADD and `RUN --mount` take files from: the context, a stage, an image. Their owners may be anybody: a path is
 * resolved once, below a descriptor of the root (linux/rootpath.ts).
 */
import { Failure } from "../failure.ts";
import { entriesOf } from "../linux/directory.ts";
import type { Handle } from "../linux/fd.ts";
import { openHost, readLink } from "../linux/hostpath.ts";
import {
  linkTarget,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openEntry,
  openInRoot,
  openInRootIfThere,
} from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import { isGlob, matchesGlob, parseGlob } from "./glob.ts";
import { canSkip, enter, type Ignore, type Place, rootPlace } from "./patterns.ts";
import { keptXattrs, type Xattr } from "./xattrs.ts";

const O_RDONLY = 0;
/** Directories in one another. */
const DEPTH_LIMIT = 256;
/** As the codec's limit of a layer. */
const ENTRY_LIMIT = 1_000_000;

export interface Tree extends Disposable {
  readonly root: Handle;
  /** Of the root; absolute, without links. */
  readonly path: string;
  /** What the user knows it by: "the context", "stage build". */
  readonly about: string;
  /** What is not there for anybody. */
  readonly ignore: Ignore | undefined;
  /** Whether owners and extended attributes are those of the files; those of a context are whoever's built it. */
  readonly keepsOwners: boolean;
}

export function openTree(path: string, options: Pick<Tree, "about" | "ignore" | "keepsOwners">): Tree {
  const root = openHost(path, O_RDONLY | O_DIRECTORY);
  const real = readLink(`/proc/self/fd/${root.fd}`) ?? path;
  return { root, path: real, ...options, [Symbol.dispose]: () => root.close() };
}

/** A file or directory of a tree. */
export interface Found {
  /** From the tree's root on, without links; the root is "". */
  readonly path: string;
  readonly status: FileStatus;
  /** What was asked for, before links were followed: its last part is the name of the copy. */
  readonly asked: string;
}

export const join = (directory: string, name: string): string => (directory === "" ? name : `${directory}/${name}`);

/** `/a/./b//../c/` -> `a/c`: what is above the root is the root, as with docker. */
export function pathInRoot(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** A path as the rules of what is ignored see it. */
function placeOf({ ignore }: Tree, path: string): Place | undefined {
  if (ignore === undefined || path === "") return undefined;
  return path.split("/").reduce(enter, rootPlace(ignore));
}

const isIgnored = (tree: Tree, path: string): boolean => placeOf(tree, path)?.ignored === true;

/** Whether nothing of a directory is there for anybody. */
function isClosed(tree: Tree, path: string): boolean {
  const place = placeOf(tree, path);
  return place !== undefined && canSkip(place);
}

/** What is at a path, its links followed inside the tree; undefined if there is nothing, or it is ignored. */
function find(tree: Tree, asked: string): Found | undefined {
  using handle = openInRootIfThere(tree.root.fd, asked === "" ? "/" : asked, O_PATH);
  if (handle === undefined) return undefined;
  const real = readLink(`/proc/self/fd/${handle.fd}`) ?? "";
  if (real !== tree.path && !real.startsWith(tree.path === "/" ? "/" : `${tree.path}/`)) return undefined;
  const path = pathInRoot(real.slice(tree.path.length));
  const status = statusOfFd(handle.fd, asked);
  const isGone = status.type === "directory" ? isClosed(tree, path) : isIgnored(tree, path);
  return isGone ? undefined : { path, status, asked };
}

function matches(tree: Tree, directory: string, parts: readonly string[]): Found[] {
  const [part, ...rest] = parts;
  if (part === undefined) {
    const found = find(tree, directory);
    return found === undefined ? [] : [found];
  }
  if (!isGlob(part)) return matches(tree, join(directory, part), rest);
  using handle = openInRootIfThere(tree.root.fd, directory === "" ? "/" : directory, O_RDONLY | O_DIRECTORY);
  if (handle === undefined) return [];
  const glob = parseGlob(part, false);
  const names = entriesOf(handle.fd, directory).map(({ name }) => name);
  return names
    .filter((name) => matchesGlob(glob, name))
    .sort()
    .flatMap((name) => matches(tree, join(directory, name), rest));
}

/** What a source of COPY or ADD names, with wildcards. Throws a Failure if that is nothing. */
export function findSources(tree: Tree, source: string): Found[] {
  const cleaned = pathInRoot(source);
  const found = matches(tree, "", cleaned === "" ? [] : cleaned.split("/"));
  if (found.length > 0) return found;
  using there = openInRootIfThere(tree.root.fd, cleaned === "" ? "/" : cleaned, O_PATH);
  const wildcard = isGlob(source);
  throw new Failure(`${wildcard ? "nothing matches" : "there is no"} '${source}' in ${tree.about}`, {
    hint:
      there !== undefined && tree.ignore !== undefined
        ? "it is left out by the .dockerignore of the context"
        : `sources are paths from the root of ${tree.about} on`,
  });
}

/** What a directory has, by name, without what is ignored. Directories come if anything in them may. */
export function entriesIn(tree: Tree, directory: Handle, path: string): { name: string; isDirectory: boolean }[] {
  return entriesOf(directory.fd, path)
    .filter(({ name, isDirectory }) =>
      isDirectory ? !isClosed(tree, join(path, name)) : !isIgnored(tree, join(path, name)),
    )
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Whether a directory has only come for the sake of something in it. */
export function isOnlyPassed(tree: Tree, path: string): boolean {
  return isIgnored(tree, path);
}

/** One file, directory or link of a tree. */
export interface Visited {
  readonly path: string;
  readonly status: FileStatus;
  /** Where a link leads. */
  readonly target: string | undefined;
  /** Those that a copy keeps, if the tree keeps any. */
  readonly xattrs: readonly Xattr[];
}

/** A found file, or a found directory with all in it, in the order of names; links are not followed any further. */
export function* visit(tree: Tree, { path, status }: Pick<Found, "path" | "status">): Generator<Visited> {
  let count = 0;
  const xattrsOf = (handle: Handle, type: FileStatus["type"]): Xattr[] =>
    tree.keepsOwners && (type === "file" || type === "directory") ? keptXattrs(handle.fd) : [];
  function* below(handle: Handle, directory: string, depth: number): Generator<Visited> {
    if (depth > DEPTH_LIMIT) throw new Failure(`${directory} in ${tree.about} is too deep`);
    for (const { name, isDirectory } of entriesIn(tree, handle, directory)) {
      if (++count > ENTRY_LIMIT) throw new Failure(`${tree.about} has more than ${ENTRY_LIMIT} files`);
      const at = join(directory, name);
      using entry = openEntry(handle.fd, name, isDirectory ? O_RDONLY | O_DIRECTORY : O_PATH | O_NOFOLLOW);
      const found = statusOfFd(entry.fd, at);
      const target = found.type === "link" ? linkTarget(entry.fd, "") : undefined;
      if (!isDirectory || !isOnlyPassed(tree, at)) {
        yield { path: at, status: found, target, xattrs: xattrsOf(entry, found.type) };
      }
      if (isDirectory) yield* below(entry, at, depth + 1);
    }
  }
  using top = openInRoot(
    tree.root.fd,
    path === "" ? "/" : path,
    status.type === "directory" ? O_RDONLY | O_DIRECTORY : O_PATH,
  );
  yield { path, status, target: undefined, xattrs: xattrsOf(top, status.type) };
  if (status.type !== "directory") return;
  yield* below(top, path, 0);
}
