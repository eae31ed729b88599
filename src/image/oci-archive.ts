/**
 * An OCI image layout in an archive (image-spec image-layout.md).
 */
import { Failure } from "../failure.ts";
import type { Document, NewImage } from "./commit.ts";
import {
  type Descriptor,
  type Manifest,
  parseConfiguration,
  parseIndex,
  parseManifest,
  pickPlatform,
} from "./manifest.ts";
import { isIndexType, isManifestType } from "./media.ts";
import type { Members } from "./members.ts";
import { fullName, parseReference } from "./reference.ts";

export const OCI_INDEX = "index.json";
/** An index may lead to another, as with images for several platforms. */
const INDEX_DEPTH_LIMIT = 3;
/** Manifests that are looked at, in an archive that is read as docker's. */
const MANIFESTS_LIMIT = 1000;

/** The name that a descriptor of index.json gives: containerd's, or the standard's if that is more than a tag. */
export function nameIn(annotations: Readonly<Record<string, string>>): string | undefined {
  const standard = annotations["org.opencontainers.image.ref.name"];
  const text = annotations["io.containerd.image.name"] ?? (standard?.match(/[/:]/) ? standard : undefined);
  return text === undefined ? undefined : fullName(parseReference(text));
}

/** The images of index.json: several entries of one name are the same for several platforms. */
function groups(descriptors: readonly Descriptor[]): [name: string | undefined, of: Descriptor[]][] {
  const named = new Map<string, Descriptor[]>();
  const found: [string | undefined, Descriptor[]][] = [];
  for (const descriptor of descriptors) {
    const name = nameIn(descriptor.annotations);
    const key = name ?? (descriptor.platform === undefined ? descriptor.digest : "");
    const group = named.get(key);
    if (group !== undefined) group.push(descriptor);
    else {
      const started = [descriptor];
      named.set(key, started);
      found.push([name, started]);
    }
  }
  return found;
}

function choose(group: readonly Descriptor[], architecture: string, members: Members): Descriptor {
  const [only, ...others] = group;
  if (only !== undefined && others.length === 0 && only.platform === undefined) return only;
  const chosen = pickPlatform(group, architecture);
  if (chosen !== undefined) return chosen;
  const platforms = group.flatMap(({ platform }) =>
    platform === undefined ? [] : [`${platform.os}/${platform.architecture}`],
  );
  throw new Failure(
    `${members.about} has no image for linux/${architecture}, only for ${platforms.join(", ") || "none"}`,
  );
}

/** From a descriptor to the manifest of this machine's image. */
function manifestOf(
  descriptor: Descriptor,
  architecture: string,
  members: Members,
  depth = 0,
): { text: string; descriptor: Descriptor } {
  const about = `${descriptor.digest} in ${members.about}`;
  const text = members.text(members.blob(descriptor), "a manifest");
  if (isManifestType(descriptor.mediaType)) return { text, descriptor };
  if (!isIndexType(descriptor.mediaType)) throw new Failure(`${about} is no image, but ${descriptor.mediaType}`);
  if (depth === INDEX_DEPTH_LIMIT) throw new Failure(`${members.about} has too many indexes in one another`);
  const inner = parseIndex(text, descriptor.mediaType, about);
  return manifestOf(choose(inner, architecture, members), architecture, members, depth + 1);
}

function imageOf(name: string | undefined, chosen: Descriptor, architecture: string, members: Members): NewImage {
  const { text, descriptor } = manifestOf(chosen, architecture, members);
  const about = `the manifest ${descriptor.digest} in ${members.about}`;
  const manifest = parseManifest(text, descriptor.mediaType, about);
  const configText = members.text(members.blob(manifest.config), "a configuration");
  const { config, createdMs, diffIds } = parseConfiguration(configText, `the configuration of ${about}`);
  if (diffIds.length !== manifest.layers.length) {
    throw new Failure(
      `${about} is damaged: it has ${manifest.layers.length} layers, its configuration ${diffIds.length}`,
    );
  }
  return {
    names: name === undefined ? [] : [name],
    configuration: { text: configText, digest: manifest.config.digest, mediaType: manifest.config.mediaType },
    manifest: { text, digest: descriptor.digest, mediaType: descriptor.mediaType },
    createdMs,
    config,
    layers: manifest.layers.map((layer, index) => ({
      ...members.blob(layer),
      diffId: diffIds[index] ?? "",
      about: `layer ${index + 1} of ${diffIds.length} in ${members.about}`,
    })),
  };
}

/** The manifests that index.json leads to and the archive has, of images alone: what else there is, is passed over. */
export function manifestsIn(members: Members): { document: Document; manifest: Manifest }[] {
  const found: { document: Document; manifest: Manifest }[] = [];
  const visit = (descriptor: Descriptor, depth: number): void => {
    if (depth > INDEX_DEPTH_LIMIT || found.length >= MANIFESTS_LIMIT) return;
    const { digest, mediaType } = descriptor;
    try {
      const text = members.text(members.blob(descriptor), "a manifest");
      if (isManifestType(mediaType)) {
        found.push({ document: { text, digest, mediaType }, manifest: parseManifest(text, mediaType, digest) });
      } else if (isIndexType(mediaType)) {
        for (const inner of parseIndex(text, mediaType, digest)) visit(inner, depth + 1);
      }
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  };
  const text = members.text(members.file(OCI_INDEX), OCI_INDEX);
  for (const descriptor of parseIndex(text, undefined, `${OCI_INDEX} of ${members.about}`)) visit(descriptor, 0);
  return found;
}

/** All images of the archive, each for this machine's architecture. */
export function imagesOfOciArchive(members: Members, architecture: string): NewImage[] {
  const text = members.text(members.file(OCI_INDEX), OCI_INDEX);
  const descriptors = parseIndex(text, undefined, `${OCI_INDEX} of ${members.about}`);
  if (descriptors.length === 0) throw new Failure(`${members.about} has no images`);
  return groups(descriptors).map(([name, group]) =>
    imageOf(name, choose(group, architecture, members), architecture, members),
  );
}
