/**
 * What instructions of a stage take files from: the context, stages before, images.
 */
import type { Layer } from "./layer.ts";
import type { Tree } from "./tree.ts";

export interface Sources {
  /** A stage, a named context or an image; undefined: the context. */
  readonly tree: (from: string | undefined) => Promise<Tree>;
  /** The layers of a stage or an image. */
  readonly layers: (from: string) => Promise<readonly Layer[]>;
}
