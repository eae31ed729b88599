/**
 * `cp`: files into a container and out of it. A codec in a cage packs what is copied, and another one in a cage of its own unpacks
 * it, with a pipe between them; each has one of the two trees for its root, and nothing else (docs/decisions/0020-copy.md).
 */
import { Failure } from "../failure.ts";
import { startMerging, startPacking, UnreadFailure, type Working } from "../image/codec.ts";
import type { World } from "../image/confine.ts";
import { openBindSource } from "../isolation/bind-source.ts";
import { ownMountsOf, planBinds } from "../isolation/plan-binds.ts";
import type { Handle } from "../linux/fd.ts";
import { O_DIRECTORY, O_PATH, openHost, workingDirectory } from "../linux/hostpath.ts";
import { pipe } from "../linux/io.ts";
import { cloneTree } from "../linux/mount.ts";
import { openInRoot } from "../linux/rootpath.ts";
import { type Contents, mountContents, openContents } from "./contents.ts";
import { type CopyTree, findSource, findTarget, mountsToSkip } from "./copy-place.ts";
import { type CopyPath, parseCopyPath, planCopy } from "./copy-rules.ts";
import type { StateRoot } from "./paths.ts";
import { mountOfRunning, withBinds } from "./root-mount.ts";

export interface CopyOptions {
  /** Whether users and groups are those of the source; else all belongs to root where it comes to. */
  readonly keepOwners: boolean;
  readonly followLinks: boolean;
}

export interface Copied {
  /** Of the archive that went from one side to the other. */
  readonly bytes: number;
  /** Sockets, which were left out. */
  readonly skipped: number;
}

/** A tree that is copied from or to, with what a codec gets of it. */
interface Side extends CopyTree {
  readonly owners: Contents["owners"];
  /** Where something else than directories of the host is mounted. */
  readonly ownMounts: readonly string[];
  /** A codec's world with that directory, and what the directory is called in there. */
  readonly worldAt: (directory: string, isWritable: boolean) => { readonly world: World; readonly at: string };
}

/** The root of a container with its volumes, as a mount that is attached nowhere. */
function openTree(root: StateRoot, contents: Contents): Handle {
  const { state, spec } = contents;
  if (state.status === "running" && state.init !== undefined) return mountOfRunning(state.init, { recursive: true });
  using stack = new DisposableStack();
  const binds = new Map(planBinds(spec).map((step) => [step, stack.use(openBindSource(step, undefined))]));
  return withBinds(stack.use(mountContents(root, contents)), binds, spec.root?.readonly === true);
}

function openContainer(root: StateRoot, name: string, stack: DisposableStack): Side {
  const contents = stack.use(openContents(root, name));
  const mount = stack.use(openTree(root, contents));
  const ownMounts = ownMountsOf(contents.spec);
  const { status } = contents.state;
  return {
    root: mount,
    tell: (path) => `${name}:${path}`,
    isContainer: true,
    owners: contents.owners,
    ownMounts,
    worldAt: (directory, isWritable) => {
      const gone = status === "running" ? undefined : ownMounts.find((path) => `${directory}/`.startsWith(`${path}/`));
      if (gone !== undefined) {
        throw new Failure(`'${name}:${gone}' is there only while the container runs`, {
          hint: "start it first, or copy to another place",
        });
      }
      return { world: { kind: "mount", mount, about: `container '${name}'`, isWritable }, at: directory };
    },
  };
}

function openHostSide(stack: DisposableStack): Side {
  const root = stack.use(openHost("/", O_PATH | O_DIRECTORY));
  return {
    root,
    tell: (path) => path,
    isContainer: false,
    owners: undefined,
    ownMounts: [],
    worldAt: (directory, isWritable) => {
      using found = openInRoot(root.fd, directory, O_PATH | O_DIRECTORY);
      const mount = stack.use(cloneTree(found.fd, "", { recursive: true }));
      return { world: { kind: "mount", mount, about: directory, isWritable }, at: "/" };
    },
  };
}

/** What is copied, and what it is going to be called there. */
interface Packing {
  readonly side: Side;
  readonly source: CopyPath;
  readonly found: ReturnType<typeof findSource>;
}

function findPacking(side: Side, source: CopyPath, { followLinks }: CopyOptions): Packing {
  return { side, source, found: findSource(side, source, followLinks) };
}

function pack(
  { side, source, found }: Packing,
  name: string,
  archive: Handle,
  rights: { readonly asRoot: boolean; readonly harmless: boolean },
): Working<{ readonly unpackedSize: number; readonly skipped: number }> {
  const { world, at } = side.worldAt(found.directory, false);
  return startPacking(world, archive, `'${side.tell(source.path)}'`, {
    compression: "none",
    prefix: name,
    at,
    only: found.only,
    owners: side.owners,
    skip: mountsToSkip(side, side.ownMounts, found.directory),
    ...rights,
  });
}

function unpack(side: Side, directory: string, archive: Handle, about: string): Working<unknown> {
  const { world, at } = side.worldAt(directory, true);
  return startMerging(archive, world, { at, owners: side.owners }, about);
}

/** Waits for both sides. The reason of a failure is with the one that failed first. */
function endOf(packing: ReturnType<typeof pack>, unpacking: Working<unknown>): Copied {
  let cut: UnreadFailure | undefined;
  let bytes = 0;
  let skipped = 0;
  try {
    ({ unpackedSize: bytes, skipped } = packing.end());
  } catch (error) {
    if (!(error instanceof UnreadFailure)) throw error;
    cut = error;
  }
  unpacking.end();
  if (cut !== undefined) throw cut;
  return { bytes, skipped };
}

function copyBetween(packing: Packing, to: Side, wanted: CopyPath, harmless: boolean, options: CopyOptions): Copied {
  const about = to.tell(wanted.path);
  const { target, directory } = findTarget(to, wanted);
  const { name } = planCopy(packing.source, packing.found.isDirectory, target, wanted, about);
  const [readable, writable] = pipe();
  using stack = new DisposableStack();
  for (const end of [readable, writable]) stack.use(end);
  const unpacking = stack.use(unpack(to, directory, readable, `'${about}'`));
  readable.close();
  const rights = { asRoot: !options.keepOwners, harmless: harmless && !options.keepOwners };
  const work = stack.use(pack(packing, name, writable, rights));
  writable.close();
  return endOf(work, unpacking);
}

/** Copies a path of the host into a container. */
export function copyIn(root: StateRoot, path: string, container: string, to: string, options: CopyOptions): Copied {
  using stack = new DisposableStack();
  const packing = findPacking(openHostSide(stack), parseCopyPath(path, workingDirectory()), options);
  return copyBetween(packing, openContainer(root, container, stack), parseCopyPath(to, "/"), false, options);
}

/** Copies a path of a container to the host. */
export function copyOut(root: StateRoot, container: string, path: string, to: string, options: CopyOptions): Copied {
  using stack = new DisposableStack();
  const packing = findPacking(openContainer(root, container, stack), parseCopyPath(path, "/"), options);
  return copyBetween(packing, openHostSide(stack), parseCopyPath(to, workingDirectory()), true, options);
}

/** Writes a path of a container into an open file, as an archive. */
export function copyToArchive(
  root: StateRoot,
  container: string,
  path: string,
  archive: Handle,
  options: CopyOptions,
): Copied {
  using stack = new DisposableStack();
  const source = parseCopyPath(path, "/");
  const packing = findPacking(openContainer(root, container, stack), source, options);
  const name = source.isContents ? "" : source.name;
  using work = pack(packing, name, archive, { asRoot: false, harmless: false });
  const { unpackedSize, skipped } = work.end();
  return { bytes: unpackedSize, skipped };
}

/** Unpacks an archive into a directory of a container. Owners are those that the archive tells. */
export function copyFromArchive(root: StateRoot, archive: Handle, container: string, to: string): void {
  using stack = new DisposableStack();
  const side = openContainer(root, container, stack);
  const wanted = parseCopyPath(to, "/");
  const { target, directory } = findTarget(side, wanted);
  if (target.kind !== "directory") {
    throw new Failure(`'${side.tell(wanted.path)}' must be a directory for an archive to be unpacked into`, {
      hint: "name a directory that is there",
    });
  }
  using work = unpack(side, directory, archive, "the archive");
  work.end();
}
