/**
 * A layer that is written by us: by COPY, ADD and WORKDIR.
 */
import { storePaths } from "../image/store.ts";
import { openOverlay } from "../isolation/overlay.ts";
import type { Handle } from "../linux/fd.ts";
import { O_DIRECTORY, O_RDONLY, openHost } from "../linux/hostpath.ts";
import { type Draft, type Layer, newDraft, newLayer, overlayNames } from "./layer.ts";
import type { Site } from "./site.ts";

/** The root that some layers make, with a place to write to, as a mount that is attached nowhere. */
export function openMerged({ root }: Pick<Site, "root">, below: readonly Layer[], { upper, work }: Draft): Handle {
  if (below.length === 0) return openHost(upper, O_RDONLY | O_DIRECTORY);
  return openOverlay({
    layersDirectory: storePaths(root.images).layers,
    layers: overlayNames(root.images, below),
    upper,
    work,
    volatile: true,
  });
}

/** Has files written on top of some layers. Undefined if nothing was. */
export function writeLayer(
  site: Site,
  below: readonly Layer[],
  about: string,
  write: (root: Handle) => void,
): Layer | undefined {
  const draft = newDraft(site.staging);
  const merged = openMerged(site, below, draft);
  try {
    write(merged);
  } finally {
    // A layer is what is there when nobody can write to it any more.
    merged.close();
  }
  return newLayer(site, draft.upper, below, about);
}
