/**
 * Manifests, indexes and configurations of images, as strangers write them: read strictly. What two readers could take
 * for two things is refused (CVE-2021-41190). Pure.
 */
import { Failure } from "../failure.ts";
import type { ImageConfig } from "../spec/image.ts";
import { isObject } from "../spec/json.ts";
import { parseStrict } from "../spec/strict-json.ts";
import { healthcheckIn } from "./healthcheck.ts";
import { isConfigType, isIndexType, isLayerType, isManifestType } from "./media.ts";
import { isDigest } from "./reference.ts";

/** As docker has it; overlayfs takes up to 500. */
export const LAYER_LIMIT = 128;
/** Of a manifest, an index or a configuration. */
export const DOCUMENT_LIMIT_BYTES = 4 * 1024 * 1024;
const MANIFEST_LIMIT = 1000;
const TEXT_LIMIT = 64 * 1024;
const LIST_LIMIT = 10_000;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string } | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface Configuration {
  readonly architecture: string;
  readonly os: string;
  /** Of the architecture; "" if there is none. */
  readonly variant: string;
  readonly createdMs: number;
  readonly config: ImageConfig;
  readonly diffIds: readonly string[];
}

type Document = Readonly<Record<string, unknown>>;

function refuse(about: string, reason: string): Failure {
  return new Failure(`${about} is damaged: ${reason}`, { hint: "make or copy it again" });
}

/** The JSON of a text, whatever it is. Throws a Failure if it is none, or what readers take for different things. */
export function parseJson(text: string, about: string): unknown {
  return parseStrict(text, `${about} is damaged`);
}

function parseDocument(text: string, about: string): Document {
  const document = parseJson(text, about);
  if (!isObject(document)) throw refuse(about, "it is no object");
  return document;
}

function textOf(value: unknown, what: string, about: string): string {
  if (typeof value !== "string" || value.length > TEXT_LIMIT || value.includes("\0")) {
    throw refuse(about, `${what} is no text, or too long`);
  }
  return value;
}

/** A text, or "" for what is missing: docker writes null for most. */
function optionalText(value: unknown, what: string, about: string): string {
  return value === undefined || value === null ? "" : textOf(value, what, about);
}

function listOf<T>(value: unknown, what: string, about: string, item: (value: unknown) => T, limit = LIST_LIMIT): T[] {
  if (!Array.isArray(value)) throw refuse(about, `${what} is no list`);
  if (value.length > limit) throw refuse(about, `${what} has ${value.length} items, more than ${limit}`);
  return value.map(item);
}

/** `{"a":"b"}`, or nothing. */
function textsByName(value: unknown, what: string, about: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw refuse(about, `${what} is no object`);
  const entries = Object.entries(value);
  if (entries.length > LIST_LIMIT) throw refuse(about, `${what} has too many names`);
  return Object.fromEntries(entries.map(([name, text]) => [name, textOf(text, `${what} ${name}`, about)]));
}

function descriptorOf(value: unknown, about: string): Descriptor {
  if (!isObject(value)) throw refuse(about, "a descriptor is no object");
  const { mediaType, digest, size, platform, annotations } = value;
  if (!isDigest(digest)) throw refuse(about, "a digest is not of the form sha256:<64 hexadecimal digits>");
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
    throw refuse(about, `the size of ${digest} is no size`);
  return {
    mediaType: textOf(mediaType, "a media type", about),
    digest,
    size,
    platform: isObject(platform)
      ? {
          os: optionalText(platform["os"], "an operating system", about),
          architecture: optionalText(platform["architecture"], "an architecture", about),
          ...variantIn(platform, about),
        }
      : undefined,
    annotations: textsByName(annotations, "annotations", about),
  };
}

function variantIn({ variant }: Document, about: string): { variant?: string } {
  return variant === undefined || variant === "" ? {} : { variant: optionalText(variant, "a variant", about) };
}

/** What manifests and indexes are told by. */
const NAMES = ["schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "history"] as const;

/** Whether the document is what it was announced as, and nothing else at the same time. */
function checkKind(document: Document, announced: string | undefined, kind: "index" | "manifest", about: string): void {
  const { mediaType, schemaVersion } = document;
  for (const name of Object.keys(document)) {
    // Readers in Go take names in any case of letters.
    const plain = NAMES.find((known) => known !== name && known.toLowerCase() === name.toLowerCase());
    if (plain !== undefined) throw refuse(about, `it is ambiguous: '${name}' is '${plain}' to some`);
  }
  if (schemaVersion !== 2) throw refuse(about, "it is of an unknown version of the schema");
  if (mediaType !== undefined && announced !== undefined && mediaType !== announced) {
    throw refuse(about, `it was announced as ${announced} and calls itself ${String(mediaType).slice(0, 100)}`);
  }
  const foreign = kind === "index" ? ["layers", "config"] : ["manifests"];
  for (const name of [...foreign, "fsLayers", "history"]) {
    if (document[name] !== undefined) throw refuse(about, `it is ambiguous: an ${kind} has no '${name}'`);
  }
  const isKind = kind === "index" ? isIndexType : isManifestType;
  if (mediaType !== undefined && (typeof mediaType !== "string" || !isKind(mediaType))) {
    throw refuse(about, `it is no ${kind}`);
  }
}

/** The descriptors of an index. `announced`: the media type of the descriptor that led to it. */
export function parseIndex(text: string, announced: string | undefined, about: string): Descriptor[] {
  const document = parseDocument(text, about);
  checkKind(document, announced, "index", about);
  return listOf(document["manifests"], "manifests", about, (item) => descriptorOf(item, about), MANIFEST_LIMIT);
}

export function parseManifest(text: string, announced: string, about: string): Manifest {
  const document = parseDocument(text, about);
  checkKind(document, announced, "manifest", about);
  if (!isManifestType(announced)) throw refuse(about, `${announced} is no image's media type`);
  const config = descriptorOf(document["config"], about);
  if (!isConfigType(config.mediaType))
    throw new Failure(`${about} is no image of a container, but ${config.mediaType}`);
  const layers = listOf(document["layers"], "layers", about, (item) => descriptorOf(item, about), LAYER_LIMIT);
  for (const { mediaType } of layers) {
    if (!isLayerType(mediaType)) throw new Failure(`${about} has a layer of the unknown type ${mediaType}`);
  }
  return { mediaType: announced, config, layers };
}

/** The object `config` of a configuration, with what of it we know. */
function imageConfigOf(value: unknown, about: string): ImageConfig {
  if (value === undefined || value === null) return {};
  if (!isObject(value)) throw refuse(about, "its config is no object");
  const config: { -readonly [Name in keyof ImageConfig]: ImageConfig[Name] } = {};
  for (const name of ["User", "WorkingDir", "StopSignal"] as const) {
    const text = optionalText(value[name], name, about);
    if (text !== "") config[name] = text;
  }
  for (const name of ["Env", "Entrypoint", "Cmd", "OnBuild", "Shell"] as const) {
    const list = value[name];
    if (list === undefined || list === null) continue;
    config[name] = listOf(list, name, about, (item) => textOf(item, name, about));
  }
  for (const name of ["ExposedPorts", "Volumes"] as const) {
    const set = value[name];
    if (!isObject(set)) continue;
    const names = listOf(Object.keys(set), name, about, (item) => textOf(item, name, about));
    if (names.length > 0) config[name] = Object.fromEntries(names.map((key) => [key, {}]));
  }
  const labels = textsByName(value["Labels"], "labels", about);
  if (Object.keys(labels).length > 0) config.Labels = labels;
  const { Healthcheck } = value;
  const health = isObject(Healthcheck) ? healthcheckIn(Healthcheck, (reason) => refuse(about, reason)) : undefined;
  if (health !== undefined) config.Healthcheck = health;
  return config;
}

export function parseConfiguration(text: string, about: string): Configuration {
  const document = parseDocument(text, about);
  const { rootfs, created, config, architecture, os, variant } = document;
  if (!isObject(rootfs) || rootfs["type"] !== "layers") throw refuse(about, "its configuration names no layers");
  const diffIds = listOf(
    rootfs["diff_ids"] ?? [],
    "diff_ids",
    about,
    (item) => {
      if (isDigest(item)) return item;
      throw refuse(about, "a digest is not of the form sha256:<64 hexadecimal digits>");
    },
    LAYER_LIMIT,
  );
  const createdMs = Date.parse(optionalText(created, "created", about));
  return {
    architecture: optionalText(architecture, "architecture", about),
    os: optionalText(os, "os", about),
    variant: optionalText(variant, "variant", about),
    createdMs: Number.isFinite(createdMs) ? createdMs : 0,
    config: imageConfigOf(config, about),
    diffIds,
  };
}

/** The architecture of this machine as images call it. */
export function ownArchitecture(arch: "x86_64" | "aarch64"): string {
  return arch === "x86_64" ? "amd64" : "arm64";
}

/** Of the images of an index, the one for this machine; undefined if there is none. */
export function pickPlatform(descriptors: readonly Descriptor[], architecture: string): Descriptor | undefined {
  return descriptors.find(({ platform }) => platform?.os === "linux" && platform.architecture === architecture);
}
