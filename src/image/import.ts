/**
 * `import`: the archive of a root file system becomes an image of one layer.
 */
import { Failure } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { arch } from "../linux/door.ts";
import { O_CREAT, O_EXCL, O_RDONLY, O_RDWR, openHost } from "../linux/hostpath.ts";
import type { ImageConfig } from "../spec/image.ts";
import { copyTo, openSource } from "./arrive.ts";
import { type PackedTree, type UnpackedLayer, unpackLayer } from "./codec.ts";
import { commitImages, documentOf, manifestFor } from "./commit.ts";
import { completeLayer } from "./layers.ts";
import { ownArchitecture } from "./manifest.ts";
import { layerType, MEDIA } from "./media.ts";
import { packLayer } from "./pack.ts";
import { fullName, parseReference } from "./reference.ts";
import { openStaging, type Staging } from "./staging.ts";
import { type ImageRecord, storeFailure } from "./store.ts";

export interface ImportRequest {
  /** Of the file, or "-" for standard input. */
  readonly path: string;
  /** As the user gave it; none makes an image without a name. */
  readonly name?: string | undefined;
  readonly config: ImageConfig;
  readonly message?: string | undefined;
  /** Milliseconds since 1970; now, if not given. */
  readonly createdMs?: number;
}

interface Arrived {
  readonly staging: Staging;
  readonly root: string;
  /** The archive as it came. */
  readonly path: string;
  readonly about: string;
}

/** The archive of the layer: the one that came, unless images have no layers of its kind; then one that is made of its files. */
function layerOf(unpacked: UnpackedLayer, { staging, root, path, about }: Arrived): PackedTree & { path: string } {
  const { compression } = unpacked;
  if (compression !== "xz" && compression !== "bzip2") return { ...unpacked, compression, skipped: 0, path };
  const packedPath = staging.newPath();
  using archive = openHost(packedPath, O_RDWR | O_CREAT | O_EXCL);
  return { ...packLayer(root, archive, about, [], { compression: "gzip" }), path: packedPath };
}

/** Imports an archive. Throws a Failure if it is none, is damaged, or there is no room for it. */
export function importArchive(images: string, request: ImportRequest): ImageRecord {
  const names = request.name === undefined ? [] : [nameOf(request.name)];
  const source = openSource(request.path);
  using _file = source.handle;
  try {
    using staging = openStaging(images);
    const blob = staging.newPath();
    copyTo(source, blob);
    using archive = openHost(blob, O_RDONLY);
    const root = staging.newDirectory();
    const unpacked = unpackLayer(archive, root, {}, source.about);
    if (unpacked.entries === 0) throw new Failure(`${source.about} is an archive without files`);
    completeLayer(root, [], unpacked);
    const layer = layerOf(unpacked, { staging, root, path: blob, about: source.about });
    const createdMs = request.createdMs ?? wallClockMs();
    const created = new Date(createdMs).toISOString();
    const configuration = documentOf(
      {
        created,
        architecture: ownArchitecture(arch),
        os: "linux",
        config: request.config,
        rootfs: { type: "layers", diff_ids: [layer.diffId] },
        history: [{ created, comment: request.message ?? "Imported from -" }],
      },
      MEDIA.config,
    );
    const { digest, size: sizeBytes } = layer;
    const manifest = manifestFor(configuration, [{ digest, sizeBytes, mediaType: layerType(layer.compression) }]);
    const ready = { path: root, sizeBytes: layer.fileBytes };
    const layers = [{ path: layer.path, digest, sizeBytes, diffId: layer.diffId, about: source.about, ready }];
    const [record] = commitImages(images, staging, [
      { names, configuration, manifest, createdMs, config: request.config, layers },
    ]);
    if (record === undefined) throw new Failure(`${source.about} made no image`);
    return record;
  } catch (error) {
    throw storeFailure(images, error);
  }
}

/** The full name of an image that is to be made. */
export function nameOf(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new Failure(`'${text}' names an image by its digest`, { hint: "a new image gets a name and a tag" });
  }
  return fullName(reference);
}
