/**
 * `prune`: what nothing uses any more is removed.
 */
import { Failure } from "../failure.ts";
import { type ImageUser, type Removal, removeImage } from "../image/remove.ts";
import { type ImageRecord, listRecords } from "../image/store.ts";
import { monotonicMs } from "../linux/clock.ts";
import { isErrno } from "../linux/error.ts";
import { exists, readText } from "../linux/hostpath.ts";
import { parseConfig } from "../spec/parse-config.ts";
import { awaitChange } from "./await-change.ts";
import { removeContainer } from "./control.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { type ContainerState, isIdle, listIds, lockDirectory, readState } from "./state.ts";
import { allStates, volumesInUse } from "./usage.ts";
import { listVolumes, readVolumeRecord, removeVolume, volumeMadeMs } from "./volumes.ts";

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

export const usersOf = (states: readonly ContainerState[]): ImageUser[] =>
  states.map(({ id, imageDigest }) => ({ container: id, digest: imageDigest }));

/** How long a container that is being made is waited for: its volumes may have to be filled. */
const MAKING_TIMEOUT_MS = 30_000;
/** What a container is made of, once that is known: undefined if it came to nothing. */
function settledState(root: StateRoot, id: string): ContainerState | undefined {
  const { directory } = containerPaths(root, id);
  const deadlineMs = monotonicMs() + MAKING_TIMEOUT_MS;
  for (;;) {
    const state = readState(root, id);
    if (state !== undefined || !exists(directory)) return state;
    // Whoever was about to make it has died.
    using free = lockDirectory(directory);
    if (free !== undefined) return undefined;
    if (monotonicMs() > deadlineMs) {
      throw new Failure(`container '${id}' has been in the making for long, of an image that is not known yet`, {
        hint: "try it again",
      });
    }
    awaitChange(directory);
  }
}

/** Who uses images, with those that are just being made. */
export const settledUsers = (root: StateRoot): ImageUser[] =>
  usersOf(listIds(root).flatMap((id) => settledState(root, id) ?? []));

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
  const candidates = imagesToPrune(listRecords(root.images), usersOf(allStates(root)), all, filter);
  for (const { name, id } of candidates) {
    try {
      yield* removeImage(root.images, name ?? id, { force: false, users: () => settledUsers(root) });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }
}

/** Removes containers that have ended, with their volumes without names. Yields their ids. */
export function* pruneContainers(root: StateRoot, filter: PruneFilter): Generator<string> {
  for (const { id, status, createdMs, labels } of allStates(root)) {
    if (!isIdle({ status }) || !isMeant(filter, createdMs, labels)) continue;
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
export function* pruneVolumes(root: StateRoot, all: boolean, filter: PruneFilter): Generator<string> {
  const states = allStates(root);
  const used = volumesInUse(root, mountSourcesOf(root, states));
  const ids = new Set(states.map(({ id }) => id));
  for (const name of listVolumes(root)) {
    const record = readVolumeRecord(root, name);
    const owner = name.slice(0, Math.max(0, name.indexOf(".")));
    const isOwn = /^[a-z0-9-]+-[0-9a-f]{6}\.[0-9]+$/.test(name) || record?.isNamed === false;
    if (used.has(name) || ids.has(owner) || !(all || isOwn)) continue;
    const createdMs = record?.createdMs ?? volumeMadeMs(root, name);
    if (!isMeant(filter, createdMs, record?.labels ?? {})) continue;
    removeVolume(root, name);
    yield name;
  }
}
