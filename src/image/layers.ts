/**
 * Layers: an archive unpacked becomes a directory that overlayfs can take as a lower one.
 */

import { Failure } from "../failure.ts";
import { timespec } from "../linux/clock.ts";
import { call } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { exists, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, openHost, rename } from "../linux/hostpath.ts";
import { openInRoot, openInRootIfThere } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import { unpackLayer } from "./codec.ts";
import { digestOf } from "./sha256.ts";
import type { Staging } from "./staging.ts";
import { type LayerRecord, layerName, storePaths } from "./store.ts";

/** Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". */
const OPAQUE_XATTR = "trusted.overlay.opaque";

/** A layer that has come: its archive, and what is known of it. */
export interface LayerArchive {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly diffId: string;
  /** What the user knows it by. */
  readonly about: string;
  /** Where it has been unpacked already; complete, if there are no marks to be made. */
  readonly ready?: { readonly path: string; readonly sizeBytes: number; readonly marks?: Marks };
}

/** What is left to be done for a layer when those below it are in place. */
export interface Marks {
  readonly opaque: readonly string[];
  readonly implied: readonly string[];
}

/** What a layer is together with those below it (image-spec config.md#layer-chainid). */
export function chainIdOf(below: string | undefined, diffId: string): string {
  return below === undefined ? diffId : digestOf(`${below} ${diffId}`);
}

/**
 * Puts the layers of an image in place, the lowest first; those that are there already stay as they are.
 * The caller holds the lock of writers, and names them in a record before it gives it back.
 * @param known the layers that records of the store speak of
 */
export function placeLayers(
  images: string,
  staging: Staging,
  archives: readonly LayerArchive[],
  known: readonly LayerRecord[],
): LayerRecord[] {
  const { layers } = storePaths(images);
  const records: LayerRecord[] = [];
  for (const archive of archives) {
    const chainId = chainIdOf(records.at(-1)?.chainId, archive.diffId);
    const directory = layerName(chainId);
    const same = known.find((layer) => layer.directory === directory);
    if (same !== undefined && same.chainId !== chainId) {
      throw new Failure(`${archive.about} has the short name of another layer, ${same.chainId}`);
    }
    const path = `${layers}/${directory}`;
    if (same !== undefined && exists(path)) {
      records.push({ ...same, blob: archive.digest });
      continue;
    }
    const lower = records.map((layer) => `${layers}/${layer.directory}`).reverse();
    // It may have become a layer on top of others.
    const ready = archive.ready !== undefined && exists(archive.ready.path) ? archive.ready : undefined;
    const made = ready ?? makeLayer(staging, archive, lower);
    if (ready?.marks !== undefined) completeLayer(made.path, lower, ready.marks);
    // What lies there without a record was left by a command that was killed.
    if (exists(path)) rename(path, staging.newPath());
    rename(made.path, path);
    records.push({ directory, chainId, diffId: archive.diffId, sizeBytes: made.sizeBytes, blob: archive.digest });
  }
  return records;
}

/** Unpacks one layer in the staging place, and completes it. `lower`: the layers below, the topmost first. */
function makeLayer(
  staging: Staging,
  archive: LayerArchive,
  lower: readonly string[],
): { path: string; sizeBytes: number } {
  const path = staging.newDirectory();
  using input = openHost(archive.path, O_RDONLY);
  const { digest, sizeBytes } = archive;
  const done = unpackLayer(input, path, { digest, sizeBytes }, archive.about);
  checkDiffId(done, archive);
  completeLayer(path, lower, done);
  return { path, sizeBytes: done.fileBytes };
}

/** Throws a Failure if an archive, unpacked, is not what the configuration of its image says. */
export function checkDiffId(done: { readonly diffId: string }, archive: { diffId: string; about: string }): void {
  if (done.diffId === archive.diffId) return;
  throw new Failure(`${archive.about} is not what it should be: unpacked it is ${done.diffId}, not ${archive.diffId}`, {
    hint: "make or copy it again",
  });
}

/** Does what the codec may not, or cannot know: marks of overlayfs, and attributes of directories that come from below. */
export function completeLayer(path: string, lower: readonly string[], done: Marks): void {
  using stack = new DisposableStack();
  const root = stack.use(openHost(path, O_PATH | O_DIRECTORY));
  for (const directory of done.opaque) {
    using handle = openDirectory(root, directory);
    call("fsetxattr", `${path}/${directory}`, handle.fd, OPAQUE_XATTR, "y", 1, 0);
  }
  if (lower.length === 0) return;
  const roots = lower.map((below) => stack.use(openHost(below, O_PATH | O_DIRECTORY)));
  for (const directory of done.implied) {
    const status = statusBelow(roots, directory);
    if (status !== undefined) copyAttributes(root, directory, status);
  }
}

function openDirectory(root: Handle, path: string): Handle {
  return openInRoot(root.fd, path === "" ? "/" : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/** What the layers below have at a path, if it is a directory there. */
function statusBelow(roots: readonly Handle[], path: string): FileStatus | undefined {
  for (const root of roots) {
    using found = openInRootIfThere(root.fd, path === "" ? "/" : path, O_PATH | O_NOFOLLOW);
    if (found === undefined) continue;
    const status = statusOfFd(found.fd, path);
    return status.type === "directory" ? status : undefined;
  }
  return undefined;
}

function copyAttributes(root: Handle, path: string, status: FileStatus): void {
  using directory = openDirectory(root, path);
  call("fchown", path, directory.fd, status.uid, status.gid);
  call("fchmod", path, directory.fd, status.mode);
  const time = timespec.encode({ seconds: status.modified });
  const times = new Uint8Array(timespec.size * 2);
  times.set(time);
  times.set(time, timespec.size);
  call("utimensat", path, directory.fd, null, times, 0);
}
