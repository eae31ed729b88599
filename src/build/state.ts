/**
 * What a stage is after some of its instructions. Pure data; each instruction makes a new one.
 */
import type { ImageConfig } from "../spec/image.ts";
import type { Arguments } from "./arguments.ts";
import type { Layer } from "./layer.ts";

/** One line of an image's history (image-spec config.md). */
export interface HistoryEntry {
  readonly created: string;
  readonly created_by: string;
  readonly comment: string;
  readonly empty_layer?: true;
}

export interface StageState {
  /** The lowest first. */
  readonly layers: readonly Layer[];
  /** Names the files so far, by what they were made from: what the keys of the next steps begin with. */
  readonly content: string;
  readonly config: ImageConfig;
  /** Whether a CMD of this stage has been seen. */
  readonly hasCmd: boolean;
  readonly author: string | undefined;
  readonly history: readonly HistoryEntry[];
  /** Of the youngest layer: milliseconds since 1970. */
  readonly createdMs: number;
  /** The configuration of the image below, with all that it says of itself. */
  readonly document: Readonly<Record<string, unknown>>;
  readonly args: Arguments;
}
