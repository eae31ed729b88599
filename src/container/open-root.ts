/**
 * Opens the root of a container: a directory, or an overlay, whose code is loaded with this file alone.
 */
import { idmappedLayers } from "../isolation/idmap-layers.ts";
import { openOverlay } from "../isolation/overlay.ts";
import type { Handle } from "../linux/fd.ts";
import type { Plan, RootSource } from "../plan/plan.ts";
import { openDirectoryRoot } from "./launch.ts";

/** Opens the root as a detached mount; for `--userns` its layers are mapped. */
export function openRoot(root: RootSource, { idMaps }: Pick<Plan, "idMaps">): Handle {
  if (root.kind === "directory") return openDirectoryRoot(root.path);
  return openOverlay(root, idMaps === undefined ? undefined : idmappedLayers(root, idMaps));
}
