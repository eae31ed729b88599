/**
 * What happens while an image is built, as typed events: faces print them, or do something else with them.
 */
export type BuildEvent =
  | { readonly kind: "started"; readonly step: StepName }
  /** What a program writes, as it comes; not always whole lines. */
  | { readonly kind: "output"; readonly step: StepName; readonly stream: "stdout" | "stderr"; readonly text: string }
  | { readonly kind: "ended"; readonly step: StepName; readonly isCached: boolean; readonly tookMs: number }
  | { readonly kind: "failed"; readonly step: StepName; readonly tookMs: number }
  | { readonly kind: "exporting" }
  | { readonly kind: "warning"; readonly text: string };

/** An instruction, as it is told. */
export interface StepName {
  /** Counted from 1, in the order of the Dockerfile; for all stages that are built. */
  readonly number: number;
  /** The stage's name or number; undefined if there is only one. */
  readonly stage: string | undefined;
  /** Of the stage: `2/5`. */
  readonly position: string;
  /** The instruction as it is written. */
  readonly source: string;
}

export type Tell = (event: BuildEvent) => void;
