/**
 * A new image from one that is here and a layer on top of it: what `commit` and `build` make.
 */
import { Failure } from "../failure.ts";
import { readText } from "../linux/hostpath.ts";
import type { ImageConfig } from "../spec/image.ts";
import { isObject } from "../spec/json.ts";
import { commitImages, documentOf, manifestFor } from "./commit.ts";
import type { LayerArchive } from "./layers.ts";
import { DOCUMENT_LIMIT_BYTES, LAYER_LIMIT, parseJson, parseManifest } from "./manifest.ts";
import { layerType, MEDIA } from "./media.ts";
import { hexOf } from "./reference.ts";
import type { Staging } from "./staging.ts";
import { type ImageRecord, storePaths } from "./store.ts";

export interface NewLayer {
  /** The archive, in the staging place. */
  readonly path: string;
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
  readonly compression: "none" | "gzip" | "zstd";
}

export interface OnTop {
  readonly base: ImageRecord;
  readonly layer: NewLayer;
  /** In full; none makes an image without a name. */
  readonly names: readonly string[];
  readonly config: ImageConfig;
  readonly author: string | undefined;
  readonly createdBy: string;
  readonly comment: string | undefined;
  readonly createdMs: number;
}

/** docker's media types of layers as those of OCI: an image has one kind. */
export function ociType(mediaType: string): string {
  if (mediaType.startsWith(MEDIA.layer)) return mediaType;
  if (mediaType.endsWith("gzip")) return layerType("gzip");
  return layerType(mediaType.endsWith("zstd") ? "zstd" : "none");
}

/** Takes the image into the store. The layer is unpacked there, and verified by that. */
export function commitOnTop(images: string, staging: Staging, request: OnTop): ImageRecord {
  const { base, layer, names, config, author, createdBy, comment, createdMs } = request;
  const { blobs } = storePaths(images);
  const read = (digest: string) => readText(`${blobs}/${hexOf(digest)}`, DOCUMENT_LIMIT_BYTES);
  const below = parseManifest(read(base.digest), base.manifestType, "the manifest of the image");
  if (below.layers.length >= LAYER_LIMIT) {
    throw new Failure(`the image has ${LAYER_LIMIT} layers already, which is the most`, {
      hint: "make one of a single layer: mycontainer export CONTAINER | mycontainer import - NAME",
    });
  }
  const before = parseJson(read(base.id), "the configuration of the image");
  if (!isObject(before)) throw new Failure("the configuration of the image is damaged");
  const created = new Date(createdMs).toISOString();
  const step = { created, created_by: createdBy, ...(comment === undefined ? {} : { comment }) };
  const history = Array.isArray(before["history"]) ? before["history"] : [];
  // Docker's fields for the container that an image was made from say nothing of this one.
  const { container: _container, container_config: _config, ...rest } = before;
  const configuration = documentOf(
    {
      ...rest,
      created,
      ...(author === undefined ? {} : { author }),
      config: { ...(isObject(before["config"]) ? before["config"] : {}), ...config },
      rootfs: { type: "layers", diff_ids: [...base.layers.map(({ diffId }) => diffId), layer.diffId] },
      history: [...history, step],
    },
    MEDIA.config,
  );
  const manifest = manifestFor(configuration, [
    ...below.layers.map(({ digest, size, mediaType }) => ({ digest, sizeBytes: size, mediaType: ociType(mediaType) })),
    { digest: layer.digest, sizeBytes: layer.size, mediaType: layerType(layer.compression) },
  ]);
  const archives: LayerArchive[] = below.layers.map(({ digest, size }, index) => ({
    path: `${blobs}/${hexOf(digest)}`,
    digest,
    sizeBytes: size,
    diffId: base.layers[index]?.diffId ?? "",
    about: `layer ${index + 1} of the image`,
  }));
  const about = "the new layer";
  archives.push({ path: layer.path, digest: layer.digest, sizeBytes: layer.size, diffId: layer.diffId, about });
  const [record] = commitImages(images, staging, [
    { names, configuration, manifest, createdMs, config, layers: archives },
  ]);
  if (record === undefined) throw new Error("the commit made no record");
  return record;
}
