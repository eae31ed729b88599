/**
 * Layers of a build: directories that the next step is laid over, and their archives, which are made while the build goes on.
 */
import { completeLayer, type LayerArchive } from "../image/layers.ts";
import { layerType } from "../image/media.ts";
import { startPackingLayer } from "../image/pack.ts";
import { hexOf } from "../image/reference.ts";
import type { Staging } from "../image/staging.ts";
import { type LayerRecord, storePaths } from "../image/store.ts";
import { entriesOf } from "../linux/directory.ts";
import {
  makeDirectory,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  openHost,
  removeTree,
  rename,
  statusOf,
} from "../linux/hostpath.ts";
import type { Turns } from "../linux/turns.ts";

export interface Layer {
  /** Its files; absolute. */
  readonly directory: string;
  /** Of its archive. */
  readonly mediaType: string;
  /** Its archive, when that is made. Throws a Failure if it cannot be. */
  readonly archive: () => Promise<LayerArchive>;
}

/** A layer that is in the store. */
export function storedLayer(images: string, record: LayerRecord, mediaType = layerType("gzip")): Layer {
  const { layers, blobs } = storePaths(images);
  const path = `${blobs}/${hexOf(record.blob)}`;
  const { blob: digest, diffId } = record;
  const sizeBytes = statusOf(path)?.sizeBytes ?? 0;
  const archive: LayerArchive = { path, digest, sizeBytes, diffId, about: `the layer ${record.directory}` };
  return { directory: `${layers}/${record.directory}`, mediaType, archive: async () => archive };
}

/** Where a layer's files are written to, laid over those below: the upper and work directories of an overlay. */
export interface Draft {
  readonly upper: string;
  readonly work: string;
}

export function newDraft(staging: Staging): Draft {
  const work = staging.newPath();
  makeDirectory(work);
  return { upper: staging.newDirectory(), work };
}

function isEmptyDirectory(path: string): boolean {
  using directory = openHost(path, O_RDONLY | O_DIRECTORY);
  return entriesOf(directory.fd, path).length === 0;
}

/**
 * A layer of what has been written into a directory; undefined if that is nothing. The archive is made by the codec, meanwhile.
 * @param upper moved into the staging place, or removed
 * @param below directories of the layers that it lies on, the lowest first
 */
export function newLayer(
  { staging, turns }: { readonly staging: Staging; readonly turns: Turns },
  upper: string,
  below: readonly Layer[],
  about: string,
): Layer | undefined {
  if (isEmptyDirectory(upper)) {
    removeTree(upper);
    return undefined;
  }
  const directory = staging.newPath();
  rename(upper, directory);
  // A layer says nothing of the root directory itself: it is as the layers below have it.
  const lower = below.map((layer) => layer.directory).reverse();
  completeLayer(directory, lower, { opaque: [], implied: [""] });
  const archive = packed(staging, turns, directory, about);
  // Whoever asks for it later is told; nobody may have asked yet.
  archive.catch(() => {});
  return { directory, mediaType: layerType("gzip"), archive: () => archive };
}

async function packed(staging: Staging, turns: Turns, directory: string, about: string): Promise<LayerArchive> {
  const path = staging.newPath();
  using file = openHost(path, O_RDWR | O_CREAT | O_EXCL);
  using packing = startPackingLayer(directory, file, about, [], { compression: "gzip" });
  await turns.readable(packing.readyFd);
  const { digest, size, diffId, fileBytes } = packing.end();
  return { path, digest, sizeBytes: size, diffId, about, ready: { path: directory, sizeBytes: fileBytes } };
}

/** Names below the store's directory of layers, as an overlay wants them: the topmost first. */
export function overlayNames(images: string, layers: readonly Layer[]): string[] {
  const { layers: directory } = storePaths(images);
  return layers
    .map((layer) =>
      layer.directory.startsWith(`${directory}/`)
        ? layer.directory.slice(directory.length + 1)
        : `../${layer.directory.slice(images.length + 1)}`,
    )
    .reverse();
}
