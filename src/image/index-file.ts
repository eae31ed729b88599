/**
 * The index of the store for other tools (image-spec image-layout.md#indexjson-file). We read the records instead.
 */
import { MEDIA } from "./media.ts";
import { familiarName } from "./reference.ts";
import type { ImageRecord } from "./store.ts";

export const LAYOUT_TEXT = '{"imageLayoutVersion":"1.0.0"}';

/** The text of `index.json` for these images. */
export function indexOf(records: readonly ImageRecord[]): string {
  const manifests = records.map(({ name, digest, manifestSizeBytes, manifestType }) => ({
    mediaType: manifestType,
    digest,
    size: manifestSizeBytes,
    ...(name === null
      ? {}
      : { annotations: { "org.opencontainers.image.ref.name": familiarName(name), "io.containerd.image.name": name } }),
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.index, manifests });
}
