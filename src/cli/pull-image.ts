/**
 * A pull as commands do it: with a registry, and progress.
 */
import type { Platform } from "../image/platform.ts";
import { type Pulled, pullImage } from "../image/pull.ts";
import { familiarName, type Reference, storedName } from "../image/reference.ts";
import { progressOn, withRegistry } from "./with-registry.ts";

export interface PullOptions {
  readonly platform: Platform | undefined;
  /** Where progress goes; undefined: nowhere. */
  readonly progressFd: number | undefined;
}

/** Pulls one image. */
export function pullReference(images: string, reference: Reference, options: PullOptions): Promise<Pulled> {
  const { platform, progressFd } = options;
  return withRegistry(`pull ${familiarName(storedName(reference))}`, async ({ registry, turns, abort }) => {
    const progress = progressOn(progressFd, turns);
    try {
      return await pullImage(images, { reference, platform, origin: registry, abort, turns, tell: progress.tell });
    } finally {
      progress.end();
    }
  });
}

/** All tags of a repository. */
export function tagsOf(reference: Reference): Promise<readonly string[]> {
  const name = familiarName(storedName({ ...reference, tag: undefined }));
  return withRegistry(`pull ${name}`, ({ registry }) => registry.tags(reference));
}
