/**
 * An image that is about to be removed is taken out of sight first: its records are set aside, under names that no image has. Whoever
 * looks for it from then on does not find it, and whoever has found it before has left a trace by then: the directory of the
 * container that is being made (docs/decisions/0004-state-and-locks.md).
 */
import { exists, listDirectory, removeFile, rename } from "../linux/hostpath.ts";
import { type ImageRecord, isAside, recordFile, storePaths } from "./store.ts";

const asideOf = (images: string, record: ImageRecord): string =>
  `${storePaths(images).references}/+${recordFile(record)}`;

/** The caller holds the lock of writers. */
export function setAside(images: string, records: readonly ImageRecord[]): void {
  const { references } = storePaths(images);
  for (const record of records) rename(`${references}/${recordFile(record)}`, asideOf(images, record));
}

/** They are not needed any more. */
export function dropAside(images: string, records: readonly ImageRecord[]): void {
  for (const record of records) removeFile(asideOf(images, record));
}

/** Puts back what is aside: after a change of mind, or of somebody who was killed. The caller holds the lock of writers. */
export function putBack(images: string): void {
  const { references } = storePaths(images);
  for (const { name } of listDirectory(references)) {
    if (!isAside(name)) continue;
    const path = `${references}/${name.slice(1)}`;
    // Only ever after a crash: the name has been given to another image since.
    if (exists(path)) removeFile(`${references}/${name}`);
    else rename(`${references}/${name}`, path);
  }
}
