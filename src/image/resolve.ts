/**
 * A name -> what a container is made of. On the way of every start: one small file is read.
 */
import { Failure } from "../failure.ts";
import { exists, listDirectory } from "../linux/hostpath.ts";
import type { ImageConfig } from "../spec/image.ts";
import {
  BUILT_IN,
  baseNameOf,
  familiarName,
  fullName,
  parseReference,
  type Reference,
  repositoryOf,
  storedName,
} from "./reference.ts";
import { type ImageRecord, listRecords, readRecord, recordFile, storePaths } from "./store.ts";

export interface ResolvedImage {
  /** As it was asked for. */
  readonly name: string;
  /** `busybox`. */
  readonly baseName: string;
  /** Of the manifest. */
  readonly digest: string;
  /** Of the configuration: what docker calls the image id. */
  readonly id: string;
  readonly config: ImageConfig;
  readonly layersDirectory: string;
  /** Names in `layersDirectory`, the topmost first. */
  readonly layers: readonly string[];
  /** A directory that is the root as it is, without layers. */
  readonly directory?: string;
}

/** What of an id may be given. */
const ID = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/** The image of a name, a name with a digest, or the beginning of an id. Throws a Failure if it is not here. */
export function resolveImage(images: string, text: string): ResolvedImage {
  const record = findRecord(images, text);
  if (record === undefined) throw missingImage(text);
  return resolveRecord(images, record, text);
}

/** The image of a record; `name` is what it was asked for by. */
export function resolveRecord(images: string, record: ImageRecord, name: string): ResolvedImage {
  return {
    name,
    baseName: record.name === null ? "image" : baseNameOf(parseReference(record.name)),
    digest: record.digest,
    id: record.id,
    config: record.config,
    layersDirectory: storePaths(images).layers,
    layers: record.layers.map(({ directory }) => directory).reverse(),
  };
}

/**
 * What has to be done before an image is looked up: what a killed command has left is cleared away, and the built-in image
 * is put in the store if that is what is asked for and it is not there. Mostly that is a look at an empty directory.
 * @returns whether the image is here now
 */
export async function prepareStore(images: string, text: string): Promise<boolean> {
  if (listDirectory(storePaths(images).staging).length > 0) {
    const { reconcileStore } = await import("./staging.ts");
    reconcileStore(images);
  }
  const reference = referenceOf(text);
  const name = reference === undefined || reference.digest !== undefined ? undefined : fullName(reference);
  if (name !== undefined && exists(`${storePaths(images).references}/${recordFile({ name, id: "" })}`)) return true;
  if (name !== BUILT_IN) return findRecord(images, text) !== undefined;
  const { loadBuiltIn } = await import("./builtin.ts");
  loadBuiltIn(images);
  return true;
}

function referenceOf(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

/** The base name of an image, where the text alone tells it: undefined for what may be an id. Pure. */
export function baseNameIn(text: string): string | undefined {
  if (ID.test(text)) return undefined;
  const reference = referenceOf(text);
  return reference === undefined || reference.digest !== undefined ? undefined : baseNameOf(reference);
}

/** The record of a name, a name with a digest, or the beginning of an id; undefined if there is none. */
export function findRecord(images: string, text: string): ImageRecord | undefined {
  const reference = referenceOf(text);
  if (reference?.digest === undefined && reference !== undefined) {
    const record = readRecord(images, fullName(reference));
    if (record !== undefined) return record;
  }
  const id = ID.exec(text)?.[1];
  if (id !== undefined) return byId(images, text, id);
  if (reference === undefined) parseReference(text); // says what is wrong with it
  if (reference?.digest === undefined) return undefined;
  const stored = readRecord(images, storedName(reference));
  if (stored !== undefined) return stored;
  const repository = fullName({ ...reference, tag: undefined });
  return listRecords(images).find(
    ({ name, digest, indexDigest }) =>
      (digest === reference.digest || indexDigest === reference.digest) &&
      name !== null &&
      repositoryOf(name) === repository,
  );
}

function byId(images: string, text: string, digits: string): ImageRecord | undefined {
  const found = listRecords(images).filter(({ id }) => id.startsWith(`sha256:${digits}`));
  if (new Set(found.map(({ id }) => id)).size > 1) {
    const names = found.map(({ name, id }) => (name === null ? id.slice(7, 19) : familiarName(name)));
    throw new Failure(`the id '${text}' is that of several images: ${names.join(", ")}`, { hint: "give more of it" });
  }
  return found[0];
}

export function missingImage(text: string): Failure {
  return new Failure(`no image '${text}' here`, {
    hint: `'mycontainer images' lists what there is; 'mycontainer pull ${text}' gets it from its registry`,
  });
}
