/**
 * What steps of builds have made, by what they were made from: `cache/<key>` in the store, one record a step. A record keeps the
 * layers that it names from being cleared away.
 */
import { exists, listDirectory, readTextIfThere } from "../linux/hostpath.ts";
import { hexOf } from "./reference.ts";
import { type LayerRecord, storePaths } from "./store.ts";

export interface CacheRecord {
  readonly version: 1;
  /** 64 hex digits: of all that the step depends on. */
  readonly key: string;
  /** The lowest first; the last is what the step has made, unless that is nothing. */
  readonly layers: readonly LayerRecord[];
  /** Whether the step changed no files. */
  readonly isEmpty: boolean;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly createdBy: string;
}

/** What `RUN --mount=type=cache` mounts: directories that outlive builds, each with a lock beside it. */
export const cacheMountsOf = (images: string): string => `${images}/cache-mounts`;

const KEY = /^[0-9a-f]{64}$/;

function readRecord(path: string): CacheRecord | undefined {
  const text = readTextIfThere(path);
  if (text === undefined) return undefined;
  try {
    // Written by ourselves, with the version that says what it has. What cannot be read is as if it were not there.
    const record = JSON.parse(text) as CacheRecord;
    return record.version === 1 ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The record of a key, if all that it names is there. */
export function findCached(images: string, key: string): CacheRecord | undefined {
  const paths = storePaths(images);
  const record = readRecord(`${paths.cache}/${key}`);
  const isWhole = record?.layers.every(
    ({ directory, blob }) => exists(`${paths.layers}/${directory}`) && exists(`${paths.blobs}/${hexOf(blob)}`),
  );
  return isWhole === true ? record : undefined;
}

export function listCached(images: string): CacheRecord[] {
  const { cache } = storePaths(images);
  return listDirectory(cache).flatMap(({ name }) => (KEY.test(name) ? (readRecord(`${cache}/${name}`) ?? []) : []));
}
