/**
 * What a pull tells while it is under way.
 */

export type LayerState = "exists" | "waiting" | "downloading" | "unpacking" | "complete";

export interface LayerEvent {
  readonly kind: "layer";
  readonly digest: string;
  readonly state: LayerState;
  /** Of the archive: what is here, and all of it. */
  readonly doneBytes: number;
  readonly sizeBytes: number;
}

export type PullEvent =
  /** The manifest has come: its layers, the lowest first. */
  { readonly kind: "layers"; readonly digests: readonly string[] } | LayerEvent;
