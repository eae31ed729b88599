/**
 * What `docker save` writes: manifest.json, and the files that it names (moby image-spec v1.2).
 */
import { Failure } from "../failure.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { read } from "../linux/io.ts";
import { isObject } from "../spec/json.ts";
import { manifestFor, type NewImage } from "./commit.ts";
import { LAYER_LIMIT, parseConfiguration, parseJson } from "./manifest.ts";
import { layerType, MEDIA } from "./media.ts";
import type { Members, StagedFile } from "./members.ts";
import { manifestsIn, OCI_INDEX } from "./oci-archive.ts";
import { fullName, isDigest, parseReference } from "./reference.ts";

export const DOCKER_MANIFEST = "manifest.json";
const IMAGE_LIMIT = 1000;
/** RFC 8878, section 3.1.1. */
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

interface Item {
  readonly config: string;
  readonly layers: readonly string[];
  readonly names: readonly string[];
}

function refuse(members: Members, reason: string): Failure {
  return new Failure(`${members.about} is damaged: ${reason}`, { hint: "make or copy it again" });
}

function texts(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item): item is string => typeof item === "string") ? value : undefined;
}

/** The images that a manifest.json speaks of. Pure, but for the name in errors. */
function itemsOf(text: string, members: Members): Item[] {
  const list = parseJson(text, `${DOCKER_MANIFEST} of ${members.about}`);
  if (!Array.isArray(list) || list.length === 0 || list.length > IMAGE_LIMIT)
    throw refuse(members, "it names no images");
  return list.map((item: unknown) => {
    const layers = isObject(item) ? texts(item["Layers"] ?? []) : undefined;
    const tags = isObject(item) ? texts(item["RepoTags"] ?? []) : undefined;
    const config = isObject(item) ? item["Config"] : undefined;
    if (typeof config !== "string" || layers === undefined || tags === undefined) {
      throw refuse(members, `${DOCKER_MANIFEST} is not of the form that docker writes`);
    }
    if (layers.length > LAYER_LIMIT)
      throw refuse(members, `an image has ${layers.length} layers, more than ${LAYER_LIMIT}`);
    return { config, layers, names: tags.map((tag) => fullName(parseReference(tag))) };
  });
}

/** The digest that the name of a configuration says it has; undefined if it says none. */
function namedDigest(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const digest = `sha256:${name.endsWith(".json") ? name.slice(0, -".json".length) : name}`;
  return isDigest(digest) ? digest : undefined;
}

function imageOf(item: Item, members: Members): NewImage {
  const file = members.file(item.config);
  if ((namedDigest(item.config) ?? file.digest) !== file.digest) {
    throw refuse(members, `the configuration ${item.config} has another digest`);
  }
  const text = members.text(file, "a configuration");
  const about = `the configuration ${item.config} of ${members.about}`;
  const { config, createdMs, diffIds } = parseConfiguration(text, about);
  if (diffIds.length !== item.layers.length) {
    throw refuse(members, `${DOCKER_MANIFEST} names ${item.layers.length} layers, the configuration ${diffIds.length}`);
  }
  const layers = item.layers.map((path, index) => {
    const layer = members.file(path);
    const diffId = diffIds[index] ?? "";
    const about = `layer ${index + 1} of ${diffIds.length} in ${members.about}`;
    return { ...layer, diffId, about, mediaType: layerType(layer.digest === diffId ? "none" : compressionOf(layer)) };
  });
  const configuration = { text, digest: file.digest, mediaType: MEDIA.config };
  return { names: item.names, configuration, manifest: manifestFor(configuration, layers), createdMs, config, layers };
}

/** Docker does not compress layers; others do. */
function compressionOf({ path }: StagedFile): "gzip" | "zstd" {
  using file = openHost(path, O_RDONLY);
  const head = new Uint8Array(ZSTD_MAGIC.length);
  read(file.fd, head, path);
  return ZSTD_MAGIC.every((byte, index) => head[index] === byte) ? "zstd" : "gzip";
}

/** What two descriptions of an image have to agree on. */
const contentKey = (config: string, layers: readonly { readonly digest: string }[]): string =>
  [config, ...layers.map(({ digest }) => digest)].join(" ");

/**
 * Images with their own manifests, where the archive has them: newer dockers write an OCI layout as well, and an image is to
 * keep its digest. A manifest counts only where it says the same.
 */
function withOwnManifests(images: readonly NewImage[], members: Members): NewImage[] {
  const manifests = new Map(
    manifestsIn(members).map((found) => [contentKey(found.manifest.config.digest, found.manifest.layers), found]),
  );
  return images.map((image) => {
    const own = manifests.get(contentKey(image.configuration.digest, image.layers));
    if (own === undefined) return image;
    const { mediaType } = own.manifest.config;
    return { ...image, manifest: own.document, configuration: { ...image.configuration, mediaType } };
  });
}

export function imagesOfDockerArchive(members: Members): NewImage[] {
  const file = members.file(DOCKER_MANIFEST);
  const images = itemsOf(members.text(file, DOCKER_MANIFEST), members).map((item) => imageOf(item, members));
  return members.has(OCI_INDEX) ? withOwnManifests(images, members) : images;
}
