/**
 * Who uses an image. A container that is being made says so before it takes the image's layers, in a file of its own, and then
 * looks whether the image is still there; who removes an image takes its name away first and then looks who uses it. So one of
 * the two always sees the other, and nobody waits for a lock on the way of a start.
 */
import type { ImageUser } from "../image/remove.ts";
import type { ResolvedImage } from "../image/resolve.ts";
import { readTextIfThere, writeNewFile } from "../linux/hostpath.ts";
import { imageOf } from "./design.ts";
import type { RunOptions } from "./options.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { listIds, lockDirectory, readState } from "./state.ts";

/**
 * Holds an image for a container that is being made: from now on nobody removes its layers. Throws a Failure if somebody has
 * done so just now.
 * @param found what was found before the container had a directory
 */
export function holdImage(root: StateRoot, options: RunOptions, id: string, found: ResolvedImage): ResolvedImage {
  if (found.directory !== undefined) return found;
  for (let image = found; ; ) {
    writeNewFile(containerPaths(root, id).image, image.digest);
    const now = imageOf(root, options);
    // The name may stand for another image by now.
    if (now.digest === image.digest) return image;
    image = now;
  }
}

/** All containers, also those that are just being made, with their images. */
export function imageUsers(root: StateRoot): ImageUser[] {
  return listIds(root).flatMap((id) => {
    const digest = readState(root, id)?.imageDigest ?? digestOfStarting(root, id);
    return digest === undefined ? [] : [{ container: id, digest }];
  });
}

/** The image of a container that has no state yet; undefined if its maker was killed. */
function digestOfStarting(root: StateRoot, id: string): string | undefined {
  const { directory, image } = containerPaths(root, id);
  const digest = readTextIfThere(image);
  if (digest === undefined) return undefined;
  using forsaken = lockDirectory(directory);
  return forsaken === undefined ? (readState(root, id)?.imageDigest ?? digest) : undefined;
}
