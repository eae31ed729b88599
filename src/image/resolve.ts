/** Placeholder for merging. */
import type { ImageConfig } from "../spec/image.ts";
export interface ResolvedImage {
  readonly name: string;
  readonly baseName: string;
  readonly digest: string;
  readonly config: ImageConfig;
  readonly layersDirectory: string;
  readonly layers: readonly string[];
  readonly directory?: string;
}
export function resolveImage(_images: string, name: string): ResolvedImage {
  return {
    name,
    baseName: "busybox",
    digest: "sha256:0",
    config: { Cmd: ["sh"] },
    layersDirectory: "/tmp/w/bb",
    layers: ["rootfs"],
  };
}
