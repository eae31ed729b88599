/**
 * `save`: images as an archive that is an OCI image layout (image-spec image-layout.md) and, unless that alone is asked for, what
 * docker writes as well (manifest.json, moby image-spec v1.2). Layers are as they came.
 */
import { Failure, unreachable } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { O_RDONLY, openHost, readText } from "../linux/hostpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { ArchiveWriter, type OpenFile } from "./archive-writer.ts";
import { openTarget } from "./deliver.ts";
import { DOCKER_MANIFEST } from "./docker-archive.ts";
import { indexOf, LAYOUT_TEXT } from "./index-file.ts";
import { DOCUMENT_LIMIT_BYTES, parseManifest } from "./manifest.ts";
import { OCI_INDEX } from "./oci-archive.ts";
import { familiarName, fullName, hasTagOrDigest, hexOf, parseReference, repositoryOf } from "./reference.ts";
import { findRecord, missingImage } from "./resolve.ts";
import { type ImageRecord, listRecords, storePaths } from "./store.ts";

export type SaveFormat = "docker-archive" | "oci-archive";

/** An image, and the names that it is saved under: in full; none if it was chosen by its id. */
export interface SavedImage {
  readonly record: ImageRecord;
  readonly names: readonly string[];
}

export type ArchiveMember =
  | { readonly kind: "directory"; readonly name: string }
  | { readonly kind: "text"; readonly name: string; readonly text: string }
  | { readonly kind: "blob"; readonly name: string; readonly digest: string };

const BLOBS = "blobs/sha256";
const blobName = (digest: string): string => `${BLOBS}/${hexOf(digest)}`;
const blobPath = (images: string, digest: string): string => `${storePaths(images).blobs}/${hexOf(digest)}`;

/** The records that a text means, and whether it means them by name: a name without a tag is all tags of it. */
function recordsOf(images: string, text: string, all: readonly ImageRecord[]): SavedImage[] {
  const found = findRecord(images, text);
  const isName = found?.name != null && namedBy(text, found.name);
  if (found !== undefined && (!isName || hasTagOrDigest(text))) {
    return [{ record: found, names: isName && found.name !== null ? [found.name] : [] }];
  }
  const repository = repositoryOf(fullName(parseReference(text)));
  const tagged = all.flatMap((record) =>
    record.name !== null && repositoryOf(record.name) === repository ? [{ record, names: [record.name] }] : [],
  );
  if (tagged.length === 0) throw missingImage(text);
  return tagged;
}

/** Whether a text is a name of that full name, and no id or digest. */
function namedBy(text: string, full: string): boolean {
  try {
    return fullName(parseReference(text)) === full;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

/** The images that texts mean, each once, with all names that were asked for. Throws a Failure for what is not here. */
export function chooseImages(images: string, texts: readonly string[]): SavedImage[] {
  const all = listRecords(images);
  const chosen = new Map<string, SavedImage>();
  for (const { record, names } of texts.flatMap((text) => recordsOf(images, text, all))) {
    const before = chosen.get(record.digest)?.names ?? [];
    chosen.set(record.digest, { record, names: [...new Set([...before, ...names])] });
  }
  return [...chosen.values()];
}

/** The index has one entry a name: tools look for what they know an image by. */
function indexText(images: readonly SavedImage[]): string {
  const named = ({ record, names }: SavedImage): ImageRecord[] =>
    (names.length === 0 ? [null] : names).map((name) => ({ ...record, name }));
  return indexOf(images.flatMap(named));
}

function dockerManifest(images: readonly SavedImage[]): string {
  return JSON.stringify(
    images.map(({ record, names }) => ({
      Config: blobName(record.id),
      RepoTags: names.length === 0 ? null : names.map(familiarName),
      Layers: record.layers.map(({ blob }) => blobName(blob)),
    })),
  );
}

/** What an archive of these images consists of, in its order. Pure. */
export function planArchive(images: readonly SavedImage[], format: SaveFormat): ArchiveMember[] {
  const digests = new Set(
    images.flatMap(({ record }) => [record.digest, record.id, ...record.layers.map(({ blob }) => blob)]),
  );
  return [
    { kind: "text", name: "oci-layout", text: LAYOUT_TEXT },
    { kind: "text", name: OCI_INDEX, text: indexText(images) },
    ...(format === "docker-archive"
      ? [{ kind: "text", name: DOCKER_MANIFEST, text: dockerManifest(images) } as const]
      : []),
    { kind: "directory", name: "blobs" },
    { kind: "directory", name: BLOBS },
    ...[...digests].map((digest) => ({ kind: "blob", name: blobName(digest), digest }) as const),
  ];
}

/** The blobs of some images by their digests, opened: whatever is removed from now on, they can be read. */
function openBlobs(images: string, chosen: readonly SavedImage[], stack: DisposableStack): Map<string, OpenFile> {
  const opened = new Map<string, OpenFile>();
  const open = (digest: string, sizeBytes?: number): OpenFile => {
    const file = opened.get(digest) ?? openBlob(images, digest, stack);
    opened.set(digest, file);
    if (sizeBytes !== undefined && sizeBytes !== file.sizeBytes) {
      throw damaged(`${file.about} has ${file.sizeBytes} bytes, and should have ${sizeBytes}`);
    }
    return file;
  };
  for (const { record } of chosen) {
    const file = open(record.digest, record.manifestSizeBytes);
    const text = readText(blobPath(images, record.digest), DOCUMENT_LIMIT_BYTES);
    const { config, layers } = parseManifest(text, record.manifestType, file.about);
    for (const { digest, size } of [config, ...layers]) open(digest, size);
    for (const { blob } of record.layers) open(blob);
  }
  return opened;
}

function openBlob(images: string, digest: string, stack: DisposableStack): OpenFile {
  const about = `the blob ${digest}`;
  const handle = stack.use(openHost(blobPath(images, digest), O_RDONLY));
  return { handle, sizeBytes: statusOfFd(handle.fd, about).sizeBytes, about };
}

function damaged(reason: string): Failure {
  return new Failure(`the store of images is damaged: ${reason}`, {
    hint: "pull or load the image again",
  });
}

/** Chooses images and opens their blobs; one that is removed meanwhile is not here. */
function openImages(
  images: string,
  texts: readonly string[],
  stack: DisposableStack,
): { chosen: SavedImage[]; blobs: Map<string, OpenFile> } {
  const chosen = chooseImages(images, texts);
  try {
    return { chosen, blobs: openBlobs(images, chosen, stack) };
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    const now = new Set(chooseImages(images, texts).map(({ record }) => record.digest));
    if (chosen.some(({ record }) => !now.has(record.digest))) throw missingImage(texts.join(" "));
    throw damaged(`${error.about} is missing`);
  }
}

export interface SaveRequest {
  /** Names, or ids. */
  readonly texts: readonly string[];
  readonly format: SaveFormat;
  /** Standard output, if not given. */
  readonly path?: string | undefined;
}

/** Writes an archive of images. Throws a Failure if one of them is not here, or the archive cannot be written. */
export function saveImages(images: string, { texts, format, path }: SaveRequest): void {
  using stack = new DisposableStack();
  const { chosen, blobs } = openImages(images, texts, stack);
  const target = stack.use(openTarget(path));
  try {
    const writer = new ArchiveWriter(target.handle.fd, target.about);
    for (const member of planArchive(chosen, format)) writeMember(writer, member, blobs);
    writer.end();
    target.finish();
  } catch (error) {
    if (isErrno(error, "ENOSPC", "EDQUOT")) {
      throw new Failure(`no space left to write ${target.about}`, {
        hint: "name a file on another file system",
        cause: error,
      });
    }
    if (isErrno(error, "EPIPE")) throw new Failure("whoever reads the archive has gone before its end");
    throw error;
  }
}

function writeMember(writer: ArchiveWriter, member: ArchiveMember, blobs: ReadonlyMap<string, OpenFile>): void {
  switch (member.kind) {
    case "directory":
      return writer.directory(member.name);
    case "text":
      return writer.text(member.name, member.text);
    case "blob": {
      const file = blobs.get(member.digest);
      if (file === undefined) throw new Error(`${member.digest} was not opened`);
      return writer.file(member.name, file);
    }
    default:
      return unreachable(member);
  }
}
