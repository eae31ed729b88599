/**
 * Changes of the cache of builds (image/cache-records.ts).
 */
import { exists, removeFile, rename, syncDirectory } from "../linux/hostpath.ts";
import { type CacheRecord, listCached } from "./cache-records.ts";
import { settle } from "./garbage.ts";
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
