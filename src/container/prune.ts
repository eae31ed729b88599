/**
 * `prune`: what nothing uses any more is removed.
 */
import { Failure } from "../failure.ts";
import { type ImageUser, type Removal, removeImage } from "../image/remove.ts";
import { type ImageRecord, listRecords } from "../image/store.ts";
import { isErrno } from "../linux/error.ts";
import { listDirectory, readText, removeTree } from "../linux/hostpath.ts";
import { parseConfig } from "../spec/parse-config.ts";
import { removeContainer } from "./control.ts";
import { imageUsers } from "./image-use.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import type { ContainerState } from "./state.ts";
import { allStates, volumesInUse } from "./usage.ts";

/** What is pruned of what could be. */
export interface PruneFilter {
  /** Only what was made before: milliseconds since 1970. */
  readonly untilMs?: number | undefined;
  /** Only what has these labels; with `undefined` any value will do. */
  readonly labels: readonly (readonly [name: string, value: string | undefined])[];
}

/** Whether something that was made then, with these labels, is meant. Pure. */
export function isMeant(
  { untilMs, labels }: PruneFilter,
  createdMs: number,
  own: Readonly<Record<string, string>>,
): boolean {
  if (untilMs !== undefined && createdMs >= untilMs) return false;
  return labels.every(([name, value]) =>
    value === undefined ? Object.hasOwn(own, name) : Object.hasOwn(own, name) && own[name] === value,
  );
}

/** The images that are to go: without a name, or with `all` every one that no container uses. Pure. */
export function imagesToPrune(
  records: readonly ImageRecord[],
  users: readonly ImageUser[],
  all: boolean,
  filter: PruneFilter,
): ImageRecord[] {
  const used = new Set(users.map(({ digest }) => digest));
  return records.filter(
    ({ name, digest, createdMs, config }) =>
      (all || name === null) && !used.has(digest) && isMeant(filter, createdMs, config.Labels ?? {}),
  );
}

/** Removes images that nothing uses. One that a container has begun to use meanwhile stays. */
export function* pruneImages(root: StateRoot, all: boolean, filter: PruneFilter): Generator<Removal> {
  const candidates = imagesToPrune(listRecords(root.images), imageUsers(root), all, filter);
  for (const { name, id } of candidates) {
    try {
      yield* removeImage(root.images, name ?? id, { force: false, users: () => imageUsers(root) });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }
}

/** Removes containers that have ended, with their volumes without names. Yields their ids. */
export function* pruneContainers(root: StateRoot, filter: PruneFilter): Generator<string> {
  for (const { id, status, createdMs, labels } of allStates(root)) {
    if (status !== "exited" || !isMeant(filter, createdMs, labels)) continue;
    removeContainer(root, id, { force: false, volumes: true });
    yield id;
  }
}

/** What containers mount of the host. */
export function mountSourcesOf(root: StateRoot, states: readonly ContainerState[]): string[] {
  return states.flatMap(({ id }) => {
    try {
      return (parseConfig(readText(containerPaths(root, id).config)).mounts ?? []).flatMap(
        ({ source }) => source ?? [],
      );
    } catch (error) {
      // It is just being made, or removed.
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  });
}

/** Removes volumes that no container mounts: those without a name, or with `all` all of them. Yields their names. */
export function* pruneVolumes(root: StateRoot, all: boolean): Generator<string> {
  const states = allStates(root);
  const used = volumesInUse(root, mountSourcesOf(root, states));
  const ids = new Set(states.map(({ id }) => id));
  for (const { name } of listDirectory(root.volumes)) {
    const owner = name.slice(0, Math.max(0, name.indexOf(".")));
    const isOwn = /^[a-z0-9-]+-[0-9a-f]{6}\.[0-9]+$/.test(name);
    if (used.has(name) || ids.has(owner) || !(all || isOwn)) continue;
    removeTree(`${root.volumes}/${name}`);
    yield name;
  }
}
