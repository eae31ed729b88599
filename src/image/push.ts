/**
 * `push`: an image goes from the store to a registry, its layers as they came.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { O_RDONLY, openHost, readText } from "../linux/hostpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { DOCUMENT_LIMIT_BYTES, parseManifest } from "./manifest.ts";
import { familiarName, hexOf, parseReference, type Reference, repositoryOf } from "./reference.ts";
import { missingImage } from "./resolve.ts";
import { Slots } from "./slots.ts";
import { type ImageRecord, listRecords, readRecord, storePaths } from "./store.ts";

/** Blobs that go side by side; as many as docker's. */
const AT_ONCE = 5;

/** What a push needs of a registry's client. Each throws a Failure, or a TransportError. */
export interface Destination {
  /** Brings a blob into a repository, if it is not there; `from`: another repository there that may have it. */
  readonly upload: (repository: Reference, content: Content, from: string | undefined) => Promise<Uploaded>;
  readonly putManifest: (reference: Reference, content: Content, mediaType: string) => Promise<void>;
}

export type Uploaded = "there" | "mounted" | "sent";

/** A blob, opened: it can be read whatever is removed meanwhile. */
export interface Content extends ReturnType<typeof openBlob> {}

/** What becomes of a layer. */
export type PushEvent =
  | { readonly kind: "layers"; readonly digests: readonly string[] }
  | { readonly kind: "layer"; readonly digest: string; readonly state: "pushing"; readonly sizeBytes: number }
  | { readonly kind: "layer"; readonly digest: string; readonly state: Uploaded; readonly from: string | undefined };

export interface PushRequest {
  /** With a tag. */
  readonly reference: Reference;
  readonly destination: Destination;
  readonly tell: (event: PushEvent) => void;
}

export interface Pushed {
  readonly digest: string;
  /** Of the manifest. */
  readonly sizeBytes: number;
}

function openBlob(images: string, digest: string, stack: DisposableStack) {
  const handle = stack.use(openHost(`${storePaths(images).blobs}/${hexOf(digest)}`, O_RDONLY));
  return { digest, handle, sizeBytes: statusOfFd(handle.fd, `the blob ${digest}`).sizeBytes };
}

/** A repository of the same registry that the blob is known to have come from or gone to, other than this one. Pure. */
export function mountSource(records: readonly ImageRecord[], reference: Reference, blob: string): string | undefined {
  for (const { name, layers } of records) {
    if (name === null || !layers.some((layer) => layer.blob === blob)) continue;
    const { domain, path } = parseReference(repositoryOf(name));
    if (domain === reference.domain && path !== reference.path) return path;
  }
  return undefined;
}

/** All tags of a repository that are here. */
export function tagsHere(images: string, reference: Reference): Reference[] {
  const repository = `${reference.domain}/${reference.path}`;
  return listRecords(images).flatMap(({ name }) => {
    if (name === null || repositoryOf(name) !== repository || name.includes("@")) return [];
    return [parseReference(name)];
  });
}

/** Opens all that an image consists of. Throws a Failure if it is not here. */
function openImage(images: string, reference: Reference, stack: DisposableStack) {
  const name = `${reference.domain}/${reference.path}:${reference.tag}`;
  const record = readRecord(images, name);
  if (record === undefined) throw missingImage(familiarName(name));
  try {
    const manifest = openBlob(images, record.digest, stack);
    const text = readText(`${storePaths(images).blobs}/${hexOf(record.digest)}`, DOCUMENT_LIMIT_BYTES);
    const { config, layers } = parseManifest(text, record.manifestType, `the manifest of ${familiarName(name)}`);
    const open = ({ digest }: { readonly digest: string }) => openBlob(images, digest, stack);
    return { record, manifest, config: open(config), layers: layers.map(open) };
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    if (readRecord(images, name) === undefined) throw missingImage(familiarName(name));
    throw new Failure(`the store of images is damaged: ${error.about} is missing`, {
      hint: `pull or load ${familiarName(name)} again`,
    });
  }
}

/** Pushes one image under its name. The manifest comes last: nobody sees an image that is not complete. */
export async function pushImage(images: string, { reference, destination, tell }: PushRequest): Promise<Pushed> {
  using stack = new DisposableStack();
  const { record, manifest, config, layers } = openImage(images, reference, stack);
  const records = listRecords(images);
  const different = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  tell({ kind: "layers", digests: different.map(({ digest }) => digest) });
  const slots = new Slots(AT_ONCE);
  const send = async (blob: Content): Promise<void> => {
    using _place = await slots.take();
    const { digest, sizeBytes } = blob;
    tell({ kind: "layer", digest, state: "pushing", sizeBytes });
    const from = mountSource(records, reference, digest);
    const state = await destination.upload(reference, blob, from);
    tell({ kind: "layer", digest, state, from: state === "mounted" ? from : undefined });
  };
  await Promise.all(different.map(send));
  await destination.upload(reference, config, undefined);
  await destination.putManifest(reference, manifest, record.manifestType);
  return { digest: record.digest, sizeBytes: manifest.sizeBytes };
}
