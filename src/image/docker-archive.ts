/**
 * What `docker save` writes: manifest.json, and the files that it names (moby image-spec v1.2).
 */
import { Failure } from "../failure.ts";
import { manifestFor, type NewImage } from "./commit.ts";
import { isObject, LAYER_LIMIT, parseConfiguration, parseJson } from "./manifest.ts";
import { layerType, MEDIA } from "./media.ts";
import type { Members } from "./members.ts";
import { fullName, isDigest, parseReference } from "./reference.ts";

export const DOCKER_MANIFEST = "manifest.json";
const IMAGE_LIMIT = 1000;

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
    // Docker does not compress them; if somebody has, then with gzip.
    return { ...layer, diffId, about, mediaType: layerType(layer.digest === diffId ? "none" : "gzip") };
  });
  const configuration = { text, digest: file.digest, mediaType: MEDIA.config };
  return { names: item.names, configuration, manifest: manifestFor(configuration, layers), createdMs, config, layers };
}

export function imagesOfDockerArchive(members: Members): NewImage[] {
  const file = members.file(DOCKER_MANIFEST);
  return itemsOf(members.text(file, DOCKER_MANIFEST), members).map((item) => imageOf(item, members));
}
