/**
 * How an image came to be: `history` of its configuration (image-spec config.md), with what its layers take. Pure but for `imageHistory`.
 */
import { readText } from "../linux/hostpath.ts";
import { isObject } from "../spec/json.ts";
import { parseJson } from "./manifest.ts";
import { hexOf } from "./reference.ts";
import { findRecord, missingImage } from "./resolve.ts";
import { storePaths } from "./store.ts";

export interface HistoryStep {
  /** Milliseconds since 1970; 0 if the image does not say. */
  readonly createdMs: number;
  /** The instruction; "" if the image does not say. */
  readonly createdBy: string;
  readonly comment: string;
  /** Of the files of its layer; 0 if it made none. */
  readonly sizeBytes: number;
}

/** Builders write some dozens; a configuration has at most a few thousand. */
const STEP_LIMIT = 10_000;

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/**
 * The steps of a configuration, the first to be done first. Layers that no step speaks of are steps without words.
 * @param sizes bytes of each layer, the lowest first
 */
export function historySteps(configuration: unknown, sizes: readonly number[]): readonly HistoryStep[] {
  const listed: unknown = isObject(configuration) ? configuration["history"] : undefined;
  const entries: readonly unknown[] = Array.isArray(listed) ? listed.slice(0, STEP_LIMIT) : [];
  let layer = 0;
  const steps = entries.filter(isObject).map((entry): HistoryStep => {
    const createdMs = Date.parse(textOf(entry["created"]));
    return {
      createdMs: Number.isFinite(createdMs) ? createdMs : 0,
      createdBy: textOf(entry["created_by"]),
      comment: textOf(entry["comment"]),
      sizeBytes: entry["empty_layer"] === true ? 0 : (sizes[layer++] ?? 0),
    };
  });
  const silent = sizes.slice(layer).map((sizeBytes) => ({ createdMs: 0, createdBy: "", comment: "", sizeBytes }));
  return [...steps, ...silent];
}

/** The id of an image, and its steps, the first first. Throws a Failure if it is not here. */
export function imageHistory(images: string, text: string): { id: string; steps: readonly HistoryStep[] } {
  const record = findRecord(images, text);
  if (record === undefined) throw missingImage(text);
  const path = `${storePaths(images).blobs}/${hexOf(record.id)}`;
  const configuration = parseJson(readText(path), `the configuration of '${text}'`);
  const sizes = record.layers.map(({ sizeBytes }) => sizeBytes);
  return { id: record.id, steps: historySteps(configuration, sizes) };
}
