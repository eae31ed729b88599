/**
 * What containers, images and volumes take on disk.
 */
import { cacheMountsOf, listCached } from "../image/cache-records.ts";
import { hexOf } from "../image/reference.ts";
import type { ImageRecord } from "../image/store.ts";
import { listRecords, storePaths } from "../image/store.ts";
import { entriesOf } from "../linux/directory.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { listDirectory, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, openHost } from "../linux/hostpath.ts";
import { openEntry } from "../linux/rootpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { type ContainerState, isIdle, listIds, readState } from "./state.ts";
import { listVolumes } from "./volumes.ts";

/** A tree below an open directory: the blocks that it takes; files of several names count once. */
function usageBelow(directory: Handle, seen: Set<string>): number {
  let bytes = 0;
  for (const { name, isDirectory } of entriesOf(directory.fd)) {
    try {
      using entry = openEntry(directory.fd, name, isDirectory ? O_RDONLY | O_DIRECTORY : O_PATH | O_NOFOLLOW);
      const { allocatedBytes, links, on, inode } = statusOfFd(entry.fd, name);
      const key = `${on.major}:${on.minor}:${inode}`;
      if (isDirectory || links === 1 || !seen.has(key)) bytes += allocatedBytes;
      if (!isDirectory && links > 1) seen.add(key);
      if (isDirectory) bytes += usageBelow(entry, seen);
    } catch (error) {
      // It has been removed meanwhile.
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
  return bytes;
}

/** What a directory and all below it take; 0 if it is not there. */
export function usageOf(path: string): number {
  try {
    using directory = openHost(path, O_RDONLY | O_DIRECTORY);
    return usageBelow(directory, new Set());
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return 0;
    throw error;
  }
}

export interface Usage {
  readonly total: number;
  /** In use by containers, or running. */
  readonly active: number;
  readonly sizeBytes: number;
  /** Of what is not in use. */
  readonly reclaimableBytes: number;
}

/** What each container is made of, also of those that have ended. */
export function allStates(root: StateRoot): ContainerState[] {
  return listIds(root).flatMap((id) => readState(root, id) ?? []);
}

/** Where blobs and unpacked layers are that records name, each once. */
function pathsOf(images: string, records: readonly Pick<ImageRecord, "layers">[], documents: readonly string[] = []) {
  const { layers, blobs } = storePaths(images);
  const used = records.flatMap((record) => record.layers);
  const digests = [...documents, ...used.map(({ blob }) => blob)];
  return new Set([
    ...used.map(({ directory }) => `${layers}/${directory}`),
    ...digests.map((digest) => `${blobs}/${hexOf(digest)}`),
  ]);
}

function bytesOfPaths(images: string, paths: Iterable<string>): number {
  const { layers } = storePaths(images);
  let bytes = 0;
  for (const path of paths) bytes += path.startsWith(layers) ? usageOf(path) : usageOfFile(path);
  return bytes;
}

/** Blobs and unpacked layers of images, each once. */
function bytesOfImages(images: string, records: readonly ImageRecord[]): number {
  const documents = records.flatMap(({ id, digest }) => [id, digest]);
  return bytesOfPaths(images, pathsOf(images, records, documents));
}

/** The cache of builds: what no image has as well, and the directories of `RUN --mount=type=cache`. */
export function usageOfCache(root: StateRoot): Usage {
  const cached = listCached(root.images);
  const ofImages = pathsOf(root.images, listRecords(root.images));
  const own = [...pathsOf(root.images, cached)].filter((path) => !ofImages.has(path));
  const mounts = cacheMountsOf(root.images);
  const sizeBytes = bytesOfPaths(root.images, own) + usageOf(mounts);
  const directories = listDirectory(mounts).filter(({ isDirectory }) => isDirectory);
  return { total: cached.length + directories.length, active: 0, sizeBytes, reclaimableBytes: sizeBytes };
}

function usageOfFile(path: string): number {
  try {
    using file = openHost(path, O_PATH);
    return statusOfFd(file.fd, path).allocatedBytes;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return 0;
    throw error;
  }
}

export function usageOfImages(root: StateRoot, states: readonly ContainerState[]): Usage {
  const records = listRecords(root.images);
  const used = new Set(states.map(({ imageDigest }) => imageDigest));
  const kept = records.filter(({ digest }) => used.has(digest));
  const different = (some: readonly ImageRecord[]) => new Set(some.map(({ id }) => id)).size;
  const sizeBytes = bytesOfImages(root.images, records);
  return {
    total: different(records),
    active: different(kept),
    sizeBytes,
    reclaimableBytes: sizeBytes - bytesOfImages(root.images, kept),
  };
}

export function usageOfContainers(root: StateRoot, states: readonly ContainerState[]): Usage {
  let [active, sizeBytes, reclaimableBytes] = [0, 0, 0];
  for (const { id, status } of states) {
    const bytes = usageOf(containerPaths(root, id).directory);
    sizeBytes += bytes;
    if (isIdle({ status })) reclaimableBytes += bytes;
    else active++;
  }
  return { total: states.length, active, sizeBytes, reclaimableBytes };
}

/** Names of volumes that containers have been given. */
export function volumesInUse(root: StateRoot, mountSources: readonly string[]): Set<string> {
  const prefix = `${root.volumes}/`;
  return new Set(
    mountSources.flatMap((source) =>
      source.startsWith(prefix) ? [source.slice(prefix.length).split("/")[0] ?? ""] : [],
    ),
  );
}

export function usageOfVolumes(root: StateRoot, used: ReadonlySet<string>): Usage {
  const names = listVolumes(root);
  let [active, sizeBytes, reclaimableBytes] = [0, 0, 0];
  for (const name of names) {
    const bytes = usageOf(`${root.volumes}/${name}`);
    sizeBytes += bytes;
    if (used.has(name)) active++;
    else reclaimableBytes += bytes;
  }
  return { total: names.length, active, sizeBytes, reclaimableBytes };
}
