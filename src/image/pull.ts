/**
 * `pull`: an image comes from a registry into the store.
 */
import { Failure } from "../failure.ts";
import { arch, utf8 } from "../linux/door.ts";
import { exists, O_CREAT, O_EXCL, O_RDWR, openHost, readText } from "../linux/hostpath.ts";
import type { Turns } from "../linux/turns.ts";
import type { Sink } from "../registry/exchange.ts";
import { commitImages, type Document } from "./commit.ts";
import { chainIdOf } from "./layers.ts";
import {
  type Configuration,
  type Descriptor,
  DOCUMENT_LIMIT_BYTES,
  type Manifest,
  parseConfiguration,
  parseIndex,
  parseManifest,
} from "./manifest.ts";
import { isIndexType, isManifestType } from "./media.ts";
import { removePartial } from "./partial.ts";
import { chooseFor, ownPlatform, type Platform, platformText, suits } from "./platform.ts";
import type { PullEvent } from "./pull-events.ts";
import { type FetchBlob, type LayerPlan, pullLayers } from "./pull-layers.ts";
import { familiarName, type Reference, storedName } from "./reference.ts";
import { digestOf } from "./sha256.ts";
import { openStaging, type Staging } from "./staging.ts";
import { type ImageRecord, layerName, listRecords, storeFailure, storePaths } from "./store.ts";

/** An index may lead to another. */
const INDEX_DEPTH_LIMIT = 3;
const SHOWN_CHARACTERS = 100;

/** What a pull needs of a registry's client. Both throw a Failure, or a TransportError. */
export interface Origin {
  /** The manifest or index of a tag, or of a digest if there is one. */
  readonly manifest: (
    reference: Reference,
  ) => Promise<{ readonly text: string; readonly mediaType: string; readonly claimed: string | undefined }>;
  /** A blob's bytes, unverified. */
  readonly blob: (
    reference: Reference,
    descriptor: { readonly digest: string; readonly size: number },
    sink: Sink,
    progress?: (bytes: number) => void,
  ) => Promise<void>;
}

export interface PullRequest {
  readonly reference: Reference;
  /** This machine's, if none is given. */
  readonly platform: Platform | undefined;
  readonly origin: Origin;
  /** Has all exchanges that are under way fail. */
  readonly abort: () => void;
  readonly turns: Turns;
  readonly tell: (event: PullEvent) => void;
}

export interface Pulled {
  readonly record: ImageRecord;
  /** What the registry calls it by: of the index, if there was one. */
  readonly digest: string;
  /** Whether it was here already, under this name. */
  readonly isUnchanged: boolean;
}

/** A manifest of an image, and the index that led to it. */
interface Found {
  readonly document: Document;
  readonly indexDigest: string | undefined;
}

/** The digest of a text. Throws a Failure if it is not what was announced. */
function checkedDigest(text: string, announced: string | undefined, about: string): string {
  const digest = digestOf(text);
  if (announced === undefined || digest === announced) return digest;
  throw other(about, `its digest is ${digest}, not ${announced.slice(0, SHOWN_CHARACTERS)}`);
}

function other(about: string, reason: string): Failure {
  return new Failure(`${about} is not what it should be: ${reason}`, {
    hint: "the registry is damaged, or somebody stands between it and this machine",
  });
}

/** Whether a document is as long and of the type as what led to it says. */
function checkAnnounced(text: string, mediaType: string, announced: Descriptor, about: string): void {
  const { length } = utf8(text);
  if (length !== announced.size) throw other(about, `it has ${length} bytes, ${announced.size} were announced`);
  if (mediaType !== announced.mediaType) {
    throw other(about, `it is ${mediaType || "of no type"}, and was announced as ${announced.mediaType}`);
  }
}

/** From the name to the manifest for the platform, through indexes. */
async function findManifest({ reference, origin, platform }: PullRequest, wanted: Platform): Promise<Found> {
  const about = familiarName(storedName(reference));
  let indexDigest: string | undefined;
  let announced: Descriptor | undefined;
  for (let at = reference, depth = 0; depth <= INDEX_DEPTH_LIMIT; depth++) {
    const { text, mediaType, claimed } = await origin.manifest(at);
    const document = { text, mediaType, digest: checkedDigest(text, at.digest, `the manifest of ${about}`) };
    if (claimed?.startsWith("sha256:")) checkedDigest(text, claimed, `the manifest of ${about}`);
    if (announced !== undefined) checkAnnounced(text, mediaType, announced, `the manifest of ${about}`);
    if (isManifestType(document.mediaType)) return { document, indexDigest };
    if (!isIndexType(document.mediaType)) {
      throw new Failure(`${about} is no image of a container, but ${document.mediaType || "of an unknown type"}`);
    }
    indexDigest ??= document.digest;
    const descriptors = parseIndex(document.text, document.mediaType, `the index of ${about}`);
    announced = chooseFor(descriptors, platform ?? wanted, about);
    at = { ...reference, tag: undefined, digest: announced.digest };
  }
  throw new Failure(`${about} has too many indexes in one another`);
}

/** A small blob as text. */
async function documentBlob(request: PullRequest, staging: Staging, of: Descriptor, about: string): Promise<string> {
  if (of.size > DOCUMENT_LIMIT_BYTES) throw new Failure(`${about} is larger than ${DOCUMENT_LIMIT_BYTES} bytes`);
  const path = staging.newPath();
  using file = openHost(path, O_RDWR | O_CREAT | O_EXCL);
  await request.origin.blob(request.reference, of, { file, presentBytes: 0, limitBytes: of.size });
  const text = readText(path);
  checkedDigest(text, of.digest, about);
  checkAnnounced(text, of.mediaType, of, about);
  return text;
}

function checkPlatform(configuration: Configuration, request: PullRequest, wanted: Platform, about: string): void {
  const { os, architecture } = configuration;
  if (os === "linux" && request.platform === undefined && architecture === wanted.architecture) return;
  if (suits(configuration, wanted)) return;
  throw new Failure(`${about} is for ${platformText(configuration)}, not for ${platformText(wanted)}`, {
    hint:
      request.platform === undefined ? `take it all the same: --platform ${platformText(configuration)}` : undefined,
  });
}

/** What is to be done for each layer. */
function planLayers(images: string, manifest: Manifest, diffIds: readonly string[], about: string): LayerPlan[] {
  const known = new Set(listRecords(images).flatMap(({ layers }) => layers.map(({ chainId }) => chainId)));
  let chainId: string | undefined;
  return manifest.layers.map(({ digest, size }, index) => {
    const diffId = diffIds[index] ?? "";
    chainId = chainIdOf(chainId, diffId);
    const isHere = known.has(chainId) && exists(`${storePaths(images).layers}/${layerName(chainId)}`);
    return {
      digest,
      sizeBytes: size,
      diffId,
      about: `layer ${index + 1} of ${diffIds.length} of ${about}`,
      isHere,
    };
  });
}

/** Whether this image is what the name stands for already. */
function unchanged(images: string, name: string, found: Found): ImageRecord | undefined {
  return listRecords(images).find((record) => record.name === name && record.digest === found.document.digest);
}

/** Pulls an image. Throws a Failure, or what the origin throws. */
export async function pullImage(images: string, request: PullRequest): Promise<Pulled> {
  const { reference, origin, turns, tell, abort } = request;
  const wanted = request.platform ?? ownPlatform(arch);
  const name = storedName(reference);
  const about = familiarName(name);
  const found = await findManifest(request, wanted);
  const digest = found.indexDigest ?? found.document.digest;
  const here = unchanged(images, name, found);
  if (here !== undefined && here.indexDigest === found.indexDigest) {
    return { record: here, digest, isUnchanged: true };
  }
  const manifest = parseManifest(found.document.text, found.document.mediaType, `the manifest of ${about}`);
  try {
    using staging = openStaging(images);
    const configText = await documentBlob(request, staging, manifest.config, `the configuration of ${about}`);
    const configuration = parseConfiguration(configText, `the configuration of ${about}`);
    checkPlatform(configuration, request, wanted, about);
    if (configuration.diffIds.length !== manifest.layers.length) {
      const [layers, ids] = [manifest.layers.length, configuration.diffIds.length];
      throw new Failure(`${about} is damaged: it has ${layers} layers, its configuration ${ids}`);
    }
    const plans = planLayers(images, manifest, configuration.diffIds, about);
    tell({ kind: "layers", digests: plans.map((plan) => plan.digest) });
    const fetch: FetchBlob = (layer, sink, progress) =>
      origin.blob(reference, { digest: layer.digest, size: layer.sizeBytes }, sink, progress);
    const layers = await pullLayers({ images, staging, turns, fetch, abort, tell }, plans);
    const [record] = commitImages(images, staging, [
      {
        names: [name],
        configuration: { text: configText, digest: manifest.config.digest, mediaType: manifest.config.mediaType },
        manifest: found.document,
        indexDigest: found.indexDigest,
        createdMs: configuration.createdMs,
        config: configuration.config,
        layers,
      },
    ]);
    for (const plan of plans) removePartial(images, plan.digest);
    if (record === undefined) throw new Error(`${about} made no record`);
    return { record, digest, isUnchanged: false };
  } catch (error) {
    throw storeFailure(images, error);
  }
}
