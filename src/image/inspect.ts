/**
 * All that is known of an image.
 */
import { readText } from "../linux/hostpath.ts";
import { type Configuration, parseConfiguration, parseJson } from "./manifest.ts";
import { familiarName, hexOf } from "./reference.ts";
import { findRecord, missingImage } from "./resolve.ts";
import { type ImageRecord, listRecords, storePaths } from "./store.ts";

/** Of all files of all layers. */
export function imageSizeBytes({ layers }: ImageRecord): number {
  return layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** What the configuration of an image says. Throws a Failure if it is not here. */
export function configurationOf(images: string, text: string): Configuration {
  const record = findRecord(images, text);
  if (record === undefined) throw missingImage(text);
  const about = `the configuration of '${text}'`;
  return parseConfiguration(readText(`${storePaths(images).blobs}/${hexOf(record.id)}`), about);
}

/** An image as data, the configuration as it came. Throws a Failure if it is not here. */
export function inspectImage(images: string, text: string) {
  const record = findRecord(images, text);
  if (record === undefined) throw missingImage(text);
  const paths = storePaths(images);
  const names = listRecords(images).flatMap(({ id, name }) => (id === record.id && name !== null ? [name] : []));
  return {
    id: record.id,
    digest: record.digest,
    names: names.map(familiarName),
    created: record.createdMs === 0 ? null : new Date(record.createdMs).toISOString(),
    sizeBytes: imageSizeBytes(record),
    configuration: parseJson(readText(`${paths.blobs}/${hexOf(record.id)}`), `the configuration of '${text}'`),
    layers: record.layers.map(({ directory, diffId, chainId, blob, sizeBytes }) => ({
      diffId,
      chainId,
      blob,
      sizeBytes,
      path: `${paths.layers}/${directory}`,
    })),
  };
}
