/**
 * What a stage begins with: nothing, an image, or another stage.
 */
import { Failure } from "../failure.ts";
import { DOCUMENT_LIMIT_BYTES, parseJson, parseManifest } from "../image/manifest.ts";
import { ownPlatform, type Platform, suits } from "../image/platform.ts";
import { hexOf, parseReference } from "../image/reference.ts";
import { findRecord, prepareStore } from "../image/resolve.ts";
import { type ImageRecord, storePaths } from "../image/store.ts";
import { arch } from "../linux/door.ts";
import { readText } from "../linux/hostpath.ts";
import { isObject } from "../spec/json.ts";
import { stepKey } from "./key.ts";
import { storedLayer } from "./layer.ts";
import type { Site } from "./site.ts";
import type { HistoryEntry, StageState } from "./state.ts";

export const SCRATCH = "scratch";
const NO_ARGS: StageState["args"] = new Map();

/** The state of a stage that begins with nothing. */
export function emptyState(platform: Platform = ownPlatform(arch)): StageState {
  const { os, architecture, variant } = platform;
  return {
    layers: [],
    content: SCRATCH,
    config: {},
    hasCmd: false,
    author: undefined,
    history: [],
    createdMs: 0,
    document: { os, architecture, ...(variant === "" ? {} : { variant }) },
    args: NO_ARGS,
  };
}

function historyOf(document: Readonly<Record<string, unknown>>): HistoryEntry[] {
  const { history } = document;
  // As strangers wrote it; it goes into the new image's configuration as it is.
  return Array.isArray(history) ? (history.filter(isObject) as unknown as HistoryEntry[]) : [];
}

/** The state of a stage that begins with an image. */
export function imageState(images: string, record: ImageRecord): StageState {
  const { blobs } = storePaths(images);
  const read = (digest: string): string => readText(`${blobs}/${hexOf(digest)}`, DOCUMENT_LIMIT_BYTES);
  const document = parseJson(read(record.id), "the configuration of the image");
  if (!isObject(document)) throw new Failure("the configuration of the image is damaged");
  const manifest = parseManifest(read(record.digest), record.manifestType, "the manifest of the image");
  const layers = record.layers.map((layer, index) => storedLayer(images, layer, manifest.layers[index]?.mediaType));
  const { OnBuild: _, ...config } = record.config;
  const { author } = document;
  return {
    layers,
    content: stepKey(["layers", record.layers.map(({ chainId }) => chainId).at(-1) ?? SCRATCH]),
    config,
    hasCmd: false,
    author: typeof author === "string" ? author : undefined,
    history: historyOf(document),
    createdMs: record.createdMs,
    document,
    args: NO_ARGS,
  };
}

/** Whether an image that is here is one for a platform. */
function isFor(images: string, record: ImageRecord, platform: Platform): boolean {
  const document = parseJson(
    readText(`${storePaths(images).blobs}/${hexOf(record.id)}`),
    "the configuration of the image",
  );
  if (!isObject(document)) return false;
  const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
  const { os, architecture, variant } = document;
  return suits({ os: textOf(os), architecture: textOf(architecture), variant: textOf(variant) }, platform);
}

/** An image's record; it is pulled where it is not here, or is to be asked for anew. */
export async function imageRecord(site: Site, given: string, platform: Platform | undefined): Promise<ImageRecord> {
  const name = site.expand(given);
  const { images } = site.root;
  const isHere = await prepareStore(images, name);
  const here = isHere ? findRecord(images, name) : undefined;
  const isMeant = here !== undefined && (platform === undefined || isFor(images, here, platform));
  if (isMeant && !site.request.pull) return here;
  await site.provideImage(parseReference(name), platform);
  const record = findRecord(images, name);
  if (record !== undefined) return record;
  throw new Failure(`the image '${name}' is not here`, { hint: `'mycontainer pull ${name}' gets it` });
}
