/**
 * What all steps of one build share.
 */
import type { Defaults } from "../container/options.ts";
import type { StateRoot } from "../container/paths.ts";
import type { InheritedSignals } from "../container/program.ts";
import type { Platform } from "../image/platform.ts";
import type { Reference } from "../image/reference.ts";
import type { Staging } from "../image/staging.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import type { Filter } from "../isolation/seccomp/install.ts";
import type { Handle } from "../linux/fd.ts";
import type { Turns } from "../linux/turns.ts";
import type { Tell } from "./events.ts";
import type { BuildRequest } from "./request.ts";

/** What a build cannot do itself: faces know registries, and how progress is told. */
export interface Outside {
  /** The name that a short name stands for. */
  readonly expand: (name: string) => string;
  /** Has an image in the store, if need be from its registry. */
  readonly provideImage: (reference: Reference, platform: Platform | undefined) => Promise<void>;
  /** Downloads a file to a path. */
  readonly download: (url: string, path: string) => Promise<{ readonly modifiedMs: number | undefined }>;
  readonly tell: Tell;
}

export interface Site extends Outside {
  readonly root: StateRoot;
  readonly request: BuildRequest;
  readonly staging: Staging;
  readonly turns: Turns;
  /** What is given back at the end. */
  readonly stack: DisposableStack;
  readonly defaults: Defaults;
  readonly seccomp: SeccompChoice;
  readonly filter: Filter | undefined;
  readonly signals: InheritedSignals;
  /** Keeps the layers that are used: image/hold.ts. */
  readonly hold: Handle;
  /** Programs that run; ended when the build fails elsewhere. */
  readonly running: Set<Handle>;
}
