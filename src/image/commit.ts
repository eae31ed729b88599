/**
 * An image that has come becomes one of the store's: layers unpacked, blobs and records in place, all or nothing.
 */

import { utf8 } from "../linux/door.ts";
import type { Handle } from "../linux/fd.ts";
import { exists, removeFile, rename, syncDirectory } from "../linux/hostpath.ts";
import type { ImageConfig } from "../spec/image.ts";
import { writeCached } from "./build-cache.ts";
import { type CacheRecord, listCached } from "./cache-records.ts";
import { settle } from "./garbage.ts";
import { type LayerArchive, placeLayers } from "./layers.ts";
import { MEDIA } from "./media.ts";
import { hexOf } from "./reference.ts";
import { digestOf } from "./sha256.ts";
import type { Staging } from "./staging.ts";
import { type ImageRecord, type LayerRecord, listRecords, lockStore, recordFile, storePaths } from "./store.ts";

/** A document of an image, to become a blob. */
export interface Document {
  readonly text: string;
  readonly digest: string;
  readonly mediaType: string;
}

/** An image whose archives lie in the staging place. */
export interface NewImage {
  /** In full; none if it comes without. */
  readonly names: readonly string[];
  readonly configuration: Document;
  readonly manifest: Document;
  /** Of the index that led to the manifest. */
  readonly indexDigest?: string | undefined;
  readonly createdMs: number;
  readonly config: ImageConfig;
  /** The lowest first. */
  readonly layers: readonly LayerArchive[];
}

/** What a step of a build has made, for the next one that is the same. */
export interface NewStep extends Omit<CacheRecord, "version" | "layers"> {
  /** With all layers below, the lowest first. */
  readonly archives: readonly LayerArchive[];
}

export function documentOf(value: unknown, mediaType: string): Document {
  const text = JSON.stringify(value);
  return { text, digest: digestOf(text), mediaType };
}

/** A manifest for what came without one. */
export function manifestFor(
  configuration: Document,
  layers: readonly { readonly digest: string; readonly sizeBytes: number; readonly mediaType: string }[],
): Document {
  return documentOf(
    {
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      config: {
        mediaType: configuration.mediaType,
        digest: configuration.digest,
        size: utf8(configuration.text).length,
      },
      layers: layers.map(({ digest, sizeBytes, mediaType }) => ({ mediaType, digest, size: sizeBytes })),
    },
    MEDIA.manifest,
  );
}

/**
 * Takes images into the store, and what steps of builds have made. An image that had one of the names goes on without it.
 * @param hold what has kept the layers until now; it is closed
 * @returns the records, in the order of the images and their names
 */
export function commitImages(
  images: string,
  staging: Staging,
  arrived: readonly NewImage[],
  { steps = [], hold }: { readonly steps?: readonly NewStep[]; readonly hold?: Handle } = {},
): ImageRecord[] {
  using _writers = lockStore(images);
  try {
    const known = [...listRecords(images), ...listCached(images)].flatMap(({ layers }) => layers);
    const records = arrived.flatMap((image) => {
      const layers = placeLayers(images, staging, image.layers, known);
      known.push(...layers);
      return recordsOf(image, layers);
    });
    const cached = steps.map(({ archives, ...step }): CacheRecord => {
      const layers = placeLayers(images, staging, archives, known);
      known.push(...layers);
      return { version: 1, ...step, layers };
    });
    for (const image of arrived) placeBlobs(images, staging, image);
    for (const { path, digest } of steps.flatMap(({ archives }) => archives)) placeBlob(images, path, digest);
    staging.flush();
    writeCached(images, staging, cached);
    writeRecords(images, staging, records);
    // What was held is named by records now.
    hold?.close();
    settle(images);
    return records;
  } catch (error) {
    undo(images);
    throw error;
  }
}

/** Best effort: what is left is found by the next command, for the staging place is left as well. */
function undo(images: string): void {
  try {
    settle(images);
  } catch {
    // The first error is the one to tell.
  }
}

function recordsOf(image: NewImage, layers: readonly LayerRecord[]): ImageRecord[] {
  const record = {
    version: 1,
    id: image.configuration.digest,
    digest: image.manifest.digest,
    ...(image.indexDigest === undefined ? {} : { indexDigest: image.indexDigest }),
    manifestSizeBytes: utf8(image.manifest.text).length,
    manifestType: image.manifest.mediaType,
    createdMs: image.createdMs,
    config: image.config,
    layers,
  } as const;
  if (image.names.length === 0) return [{ ...record, name: null }];
  return image.names.map((name) => ({ ...record, name }));
}

function placeBlobs(images: string, staging: Staging, image: NewImage): void {
  for (const { path, digest } of image.layers) placeBlob(images, path, digest);
  for (const { text, digest } of [image.configuration, image.manifest])
    placeBlob(images, staging.newFile(text), digest);
}

/** The same archive may be two layers of an image: then it has been moved already. */
function placeBlob(images: string, from: string, digest: string): void {
  if (exists(from)) rename(from, `${storePaths(images).blobs}/${hexOf(digest)}`);
}

/** Writes records, each replacing the one of its name; what loses its last name by that goes on under its id. */
export function writeRecords(images: string, staging: Staging, records: readonly ImageRecord[]): void {
  const { references } = storePaths(images);
  const replaced = new Set(records.flatMap(({ name }) => name ?? []));
  const before = listRecords(images);
  const kept = before.filter(({ name }) => name === null || !replaced.has(name));
  const named = new Set([...kept, ...records].flatMap(({ name, id }) => (name === null ? [] : [id])));
  const write = (record: ImageRecord): void => {
    rename(staging.newFile(JSON.stringify(record)), `${references}/${recordFile(record)}`);
  };
  for (const record of before) if (!kept.includes(record) && !named.has(record.id)) write({ ...record, name: null });
  for (const record of records) if (record.name !== null || !named.has(record.id)) write(record);
  for (const record of kept) {
    if (record.name === null && named.has(record.id)) removeFile(`${references}/${recordFile(record)}`);
  }
  syncDirectory(references);
}
