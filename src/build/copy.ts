/**
 * COPY and ADD: files of the context, of another stage or of an image become a layer.
 */
import { Failure, unreachable } from "../failure.ts";
import { readAccounts, resolveUser } from "../isolation/users.ts";
import { call, isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { makeDirectoriesInRoot, O_DIRECTORY, O_PATH, openInRoot, openInRootIfThere } from "../linux/rootpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { contentDigest } from "./content.ts";
import { type Copying, copyContents, copyEntry, setAttributes, writeText } from "./copy-tree.ts";
import type { Transfer } from "./instruction.ts";
import type { Layer } from "./layer.ts";
import { parseMode } from "./mode.ts";
import { ignoreOf, ignores } from "./patterns.ts";
import type { Site } from "./site.ts";
import { type Found, findSources, join, pathInRoot, type Tree } from "./tree.ts";
import { writeLayer } from "./write-layer.ts";

const O_RDONLY = 0;
const AT_EMPTY_PATH = 0x1000;

/** Something to be copied: a text, what a tree has, or what an archive has that was unpacked. */
export type Source =
  | { readonly kind: "text"; readonly name: string; readonly text: string }
  | {
      readonly kind: "files";
      readonly tree: Tree;
      readonly found: Found;
      /** With `--parents`: the part of its path that it keeps below the target. */
      readonly kept: string | undefined;
    }
  /** All of a tree, whatever the target looks like: an archive that was unpacked. */
  | { readonly kind: "unpacked"; readonly tree: Tree };

export type FilesSource = Extract<Source, { kind: "files" }>;

export interface CopyRequest extends Pick<Transfer, "target" | "chown" | "chmod" | "link" | "exclude"> {
  readonly sources: readonly Source[];
  /** Whether a file goes to the same path below the target as it has in its tree. */
  readonly parents: boolean;
  readonly workdir: string;
}

/** The absolute path of a target, and whether it says that it is a directory. Pure. */
export function targetOf(target: string, workdir: string): { path: string; isDirectory: boolean } {
  const absolute = target.startsWith("/") ? target : `${workdir}/${target}`;
  const last = target.slice(target.lastIndexOf("/") + 1);
  return { path: pathInRoot(absolute), isDirectory: last === "" || last === "." || last === ".." };
}

/** Whether a path is meant by `--exclude`: patterns are for what is below a directory, or the name of a file. Pure. */
function excluder(patterns: readonly string[], found: Found | undefined): (path: string) => boolean {
  if (patterns.length === 0 || found === undefined) return () => false;
  const ignore = ignoreOf(patterns);
  const base =
    found.status.type === "directory" ? found.path : found.path.slice(0, Math.max(0, found.path.lastIndexOf("/")));
  return (path) => {
    const relative = base === "" ? path : path.slice(base.length + 1);
    return relative !== "" && ignores(ignore, relative);
  };
}

function digestOf(source: Source, exclude: readonly string[]): string {
  switch (source.kind) {
    case "text":
      return `${source.name}\0${source.text}`;
    case "files":
      return contentDigest(source.tree, [source.found], excluder(exclude, source.found));
    case "unpacked":
      return contentDigest(source.tree, findSources(source.tree, "/"), () => false);
    default:
      return unreachable(source);
  }
}

/** What is copied, and where below the target: what the step's key has for it. */
export const sourcesKey = (sources: readonly Source[], exclude: readonly string[]): unknown[] =>
  sources.map((source) => [digestOf(source, exclude), source.kind === "files" ? (source.kept ?? null) : null]);

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** As BuildKit: an id alone is that of the group, too. */
function ownerOf(chown: string | undefined, root: Handle): { uid: number; gid: number } | undefined {
  if (chown === undefined) return undefined;
  const spec = /^[0-9]+$/.test(chown) ? `${chown}:${chown}` : chown;
  const { uid, gid } = resolveUser(spec, [], readAccounts([root.fd]));
  return { uid, gid };
}

/** Whether there is anything at a path of the root. */
function isThere(root: Handle, path: string): boolean {
  using found = openInRootIfThere(root.fd, path === "" ? "/" : path, O_PATH);
  return found !== undefined;
}

/** The directory of that path in the root; those that are made belong to the owner of the copies. */
export function ensureDirectory(root: Handle, path: string, owner: Owner | undefined): Handle {
  try {
    if (owner !== undefined) makeOwned(root, path, owner);
    using found = makeDirectoriesInRoot(root.fd, path);
    return openInRoot(found.fd, "/", O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (!isErrno(error, "ENOTDIR", "EEXIST")) throw error;
    throw new Failure(`/${pathInRoot(path)} cannot be a directory: there is a file`, { cause: error });
  }
}

function makeOwned(root: Handle, path: string, owner: Owner): void {
  const parts = path.split("/").filter((part) => part !== "");
  for (let count = 1; count <= parts.length; count++) {
    const prefix = parts.slice(0, count).join("/");
    if (isThere(root, prefix)) continue;
    using made = makeDirectoriesInRoot(root.fd, prefix);
    call("fchownat", prefix, made.fd, "", owner.uid, owner.gid, AT_EMPTY_PATH);
  }
}

export function isDirectoryIn(root: Handle, path: string): boolean {
  using found = openInRootIfThere(root.fd, path === "" ? "/" : path, O_PATH);
  return found !== undefined && statusOfFd(found.fd, path).type === "directory";
}

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

function copySource(
  root: Handle,
  source: Source,
  request: CopyRequest,
  isDirectory: boolean,
  linked: Map<string, string>,
) {
  const owner = ownerOf(request.chown, root);
  const modeOf = request.chmod === undefined ? (mode: number) => mode : parseMode(request.chmod);
  const { path } = targetOf(request.target, request.workdir);
  const copying = (tree: Tree, found: Found | undefined): Copying => {
    return { tree, root, linked, rules: { owner, modeOf, isExcluded: excluder(request.exclude, found) } };
  };
  const inPlace = (
    directory: string,
    name: string,
    copy: (place: { fd: number; path: string }, name: string) => void,
  ) => {
    using place = ensureDirectory(root, directory, owner);
    copy({ fd: place.fd, path: directory }, name);
  };
  switch (source.kind) {
    case "text":
      return inPlace(isDirectory ? path : parentOf(path), isDirectory ? source.name : baseName(path), (place, name) =>
        writeText({ owner, modeOf }, source.text, place, name),
      );
    case "unpacked": {
      using place = ensureDirectory(root, path, owner);
      return copyContents(copying(source.tree, undefined), source.tree.root, "", { fd: place.fd, path });
    }
    case "files": {
      const { tree, found, kept } = source;
      if (found.status.type === "directory") {
        const target = kept === undefined ? path : join(path, kept);
        // The root of a context is whatever directory somebody works in.
        const isNew = !isThere(root, target) && (found.path !== "" || tree.keepsOwners);
        using place = ensureDirectory(root, target, owner);
        using from = openInRoot(tree.root.fd, found.path === "" ? "/" : found.path, O_RDONLY | O_DIRECTORY);
        const into = copying(tree, found);
        copyContents(into, from, found.path, { fd: place.fd, path: target });
        // As BuildKit: a directory that was not there is as the one that is copied.
        if (isNew) setAttributes(into, from.fd, place.fd, found.status, `${found.path} of ${tree.about}`);
        return;
      }
      const directory = kept !== undefined ? join(path, parentOf(kept)) : isDirectory ? path : parentOf(path);
      const name = isDirectory || kept !== undefined ? baseName(found.asked) : baseName(path);
      using from = openInRoot(tree.root.fd, parentOf(found.path) || "/", O_RDONLY | O_DIRECTORY);
      const entry = { fd: from.fd, name: baseName(found.path), path: found.path };
      return inPlace(directory, name, (place, as) => copyEntry(copying(tree, found), entry, place, as));
    }
  }
}

/** Copies sources on top of some layers. Undefined if that changes nothing. */
export function copyLayer(site: Site, below: readonly Layer[], request: CopyRequest, about: string): Layer | undefined {
  return writeLayer(site, request.link ? [] : below, about, (root) => {
    const { path, isDirectory } = targetOf(request.target, request.workdir);
    const several = request.sources.length > 1 || request.parents;
    if (several && !isDirectory && !isDirectoryIn(root, path) && !request.parents) {
      throw new Failure(`several files are copied to '${request.target}', which is not said to be a directory`, {
        hint: `end it with '/': ${request.target}/`,
      });
    }
    const into = isDirectory || several || isDirectoryIn(root, path);
    const linked = new Map<string, string>();
    for (const source of request.sources) copySource(root, source, request, into, linked);
  });
}
