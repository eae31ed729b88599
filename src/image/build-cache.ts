/**
 * Changes of the cache of builds (image/cache-records.ts).
 */
import { tryLock } from "../linux/flock.ts";
import {
  exists,
  listDirectory,
  O_CREAT,
  O_RDWR,
  openHost,
  removeFile,
  removeTree,
  rename,
  syncDirectory,
} from "../linux/hostpath.ts";
import { type CacheRecord, cacheMountsOf, listCached } from "./cache-records.ts";
import { settle } from "./garbage.ts";
import { tryClaimStore } from "./hold.ts";
import type { Staging } from "./staging.ts";
import { lockStore, storePaths } from "./store.ts";

/** Writes records. The caller holds the lock of writers, and what they name is in place. */
export function writeCached(images: string, staging: Staging, records: readonly CacheRecord[]): void {
  const { cache } = storePaths(images);
  for (const record of records) rename(staging.newFile(JSON.stringify(record)), `${cache}/${record.key}`);
  if (records.length > 0) syncDirectory(cache);
}

/** Removes records that are meant, and the layers that nothing names any more. Returns those records. */
export function pruneCached(images: string, isMeant: (record: CacheRecord) => boolean): CacheRecord[] {
  const { cache } = storePaths(images);
  if (!exists(cache)) return [];
  using _writers = lockStore(images);
  const removed = listCached(images).filter(isMeant);
  for (const { key } of removed) removeFile(`${cache}/${key}`);
  if (removed.length > 0) settle(images);
  return removed;
}

/**
 * Removes the directories of `RUN --mount=type=cache` that no build uses. Yields their names.
 */
export function* pruneCacheMounts(images: string): Generator<string> {
  const directory = cacheMountsOf(images);
  for (const { name, isDirectory } of listDirectory(directory)) {
    if (!isDirectory) continue;
    using held = openHost(`${directory}/${name}.lock`, O_RDWR | O_CREAT);
    using claim = tryClaimStore(images);
    if (claim === undefined || !tryLock(held.fd, name)) continue;
    removeTree(`${directory}/${name}`);
    yield name;
  }
}
