/**
 * The store of images: an OCI image layout (image-spec image-layout.md), and beside it what makes starts fast.
 *
 *     blobs/sha256/<hex>       configurations, manifests, layers as they came
 *     index.json, oci-layout   what other tools read: `skopeo inspect oci:/var/lib/mycontainer/images:busybox:latest`
 *     references/<name>        one record a name: all that a start needs to know, in one small file
 *     references/+<name>       the record of an image that is being removed
 *     layers/<16 digits>/      an unpacked layer; complete if it is there
 *     cache/<key>              what a step of a build has made: image/cache-records.ts
 *     staging/<maker>/         what is being made; its maker holds the lock of the directory
 *     partial/<hex>            the beginning of a blob; whoever downloads it holds the lock of the file
 *     lock                     of writers; readers take none
 *     hold                     locked by whoever uses layers that no record names yet: image/hold.ts
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import { listDirectory, makeDirectories, O_CREAT, O_RDWR, openHost, readTextIfThere } from "../linux/hostpath.ts";
import type { ImageConfig } from "../spec/image.ts";

export interface LayerRecord {
  /** The directory's name in `layers/`: the beginning of the chain id. */
  readonly directory: string;
  readonly chainId: string;
  readonly diffId: string;
  /** Of all files, unpacked. */
  readonly sizeBytes: number;
  /** The digest of the archive. */
  readonly blob: string;
}

/** What is known of an image under one of its names. */
export interface ImageRecord {
  readonly version: 1;
  /** In full: `docker.io/library/busybox:latest`; null if it has lost its name. */
  readonly name: string | null;
  /** The digest of its configuration. */
  readonly id: string;
  /** The digest of its manifest. */
  readonly digest: string;
  /** What the registry calls it, where that is another digest: of the index that has it for this platform. */
  readonly indexDigest?: string;
  readonly manifestSizeBytes: number;
  readonly manifestType: string;
  /** Milliseconds since 1970; 0 if the image does not say. */
  readonly createdMs: number;
  readonly config: ImageConfig;
  /** The lowest first, as in the manifest. */
  readonly layers: readonly LayerRecord[];
}

/** The length of a layer's name: short, for overlay's options have a limit; 128 of them fit into one page. */
const LAYER_NAME_DIGITS = 16;
const RECORD_NAME_LIMIT_BYTES = 250;

export const storePaths = (images: string) => ({
  blobs: `${images}/blobs/sha256`,
  references: `${images}/references`,
  layers: `${images}/layers`,
  staging: `${images}/staging`,
  cache: `${images}/cache`,
  partial: `${images}/partial`,
  lock: `${images}/lock`,
  hold: `${images}/hold`,
  index: `${images}/index.json`,
  layout: `${images}/oci-layout`,
});

/** Makes the directories of a store, where they are missing. */
export function makeStore(images: string): void {
  const paths = storePaths(images);
  for (const path of [paths.blobs, paths.references, paths.layers, paths.staging, paths.cache]) makeDirectories(path);
  // Here, so that it is there on a disk that is full.
  openHost(paths.hold, O_RDWR | O_CREAT).close();
}

/** Waits for the lock of writers, which ends with the handle. */
export function lockStore(images: string): Handle {
  const { lock: path } = storePaths(images);
  const handle = openHost(path, O_RDWR | O_CREAT);
  lock(handle.fd, path);
  return handle;
}

/** The lock of writers, if it is free. */
export function tryLockStore(images: string): Handle | undefined {
  const { lock: path } = storePaths(images);
  const handle = openHost(path, O_RDWR | O_CREAT);
  if (tryLock(handle.fd, path)) return handle;
  handle.close();
  return undefined;
}

export function layerName(chainId: string): string {
  const at = chainId.indexOf(":") + 1;
  return chainId.slice(at, at + LAYER_NAME_DIGITS);
}

/** The file of a record. Names have no `+`; those without a name are filed under their id. */
export function recordFile({ name, id }: Pick<ImageRecord, "name" | "id">): string {
  const file = (name ?? id).replaceAll("/", "+");
  if (file.length <= RECORD_NAME_LIMIT_BYTES) return file;
  throw new Failure(`the image name '${name}' is too long for a file`, { hint: "use a shorter name or tag" });
}

function parseRecord(text: string, path: string): ImageRecord {
  try {
    // Written by ourselves, with the version that says what it has.
    const record = JSON.parse(text) as ImageRecord;
    if (record.version === 1) return record;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Failure(`${path} is damaged, or of another version of mycontainer`, {
    hint: "remove that file, and import or load the image again",
  });
}

/** The record of a full name; undefined if there is none. */
export function readRecord(images: string, name: string): ImageRecord | undefined {
  const path = `${images}/references/${recordFile({ name, id: "" })}`;
  const text = readTextIfThere(path);
  return text === undefined ? undefined : parseRecord(text, path);
}

/** Whether a file of `references/` is set aside (image/aside.ts): no name begins with what it begins with. */
export const isAside = (file: string): boolean => file.startsWith("+");

/** All records, in the order of their names; without those of images that are being removed. */
export function listRecords(images: string): ImageRecord[] {
  const { references } = storePaths(images);
  const records: ImageRecord[] = [];
  for (const { name } of listDirectory(references).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (isAside(name)) continue;
    const path = `${references}/${name}`;
    // It may have been removed meanwhile.
    const text = readTextIfThere(path);
    if (text !== undefined) records.push(parseRecord(text, path));
  }
  return records;
}

/** What to say where the store cannot be written. */
export function storeFailure(images: string, error: unknown): unknown {
  if (isErrno(error, "ENOSPC", "EDQUOT")) {
    return new Failure(`no space left for the image in ${images}`, {
      hint: "'df -h' and 'df -i' tell what is used up; 'mycontainer images' lists what there is, 'mycontainer rmi' removes some of it",
      cause: error,
    });
  }
  if (isErrno(error, "EACCES", "EPERM")) {
    return new Failure(`no permission to change the images in ${images}`, { hint: "run it as root", cause: error });
  }
  if (isErrno(error, "EROFS")) {
    return new Failure(`${images} is read-only`, {
      hint: "set MYCONTAINER_ROOT to a directory that is writable",
      cause: error,
    });
  }
  return error;
}
