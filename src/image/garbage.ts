/**
 * After a change of the records: what no record of an image or of the cache speaks of any more is removed, and the index is written anew.
 */
import { isErrno } from "../linux/error.ts";
import { listDirectory, readTextIfThere, removeFile, removeTree, replaceFile } from "../linux/hostpath.ts";
import { putBack } from "./aside.ts";
import { listCached } from "./cache-records.ts";
import { tryClaimStore } from "./hold.ts";
import { indexOf, LAYOUT_TEXT } from "./index-file.ts";
import { removePartials } from "./partial.ts";
import { hexOf } from "./reference.ts";
import { type ImageRecord, listRecords, storePaths } from "./store.ts";

function writeIfOther(path: string, text: string): void {
  if (readTextIfThere(path) !== text) replaceFile(path, text, { durable: false });
}

/**
 * Makes all else in the store agree with the records; as long as a build is under way, nothing of it is removed. The caller holds
 * the lock of writers.
 * @param onFull what a disk without room for the index is: it may stay as it was after a removal, and the next change writes it
 */
export function settle(images: string, onFull: "fail" | "go on" = "fail"): void {
  const paths = storePaths(images);
  putBack(images);
  const records = listRecords(images);
  removeUnused(images, records);
  // What needs room comes last: on a full disk there is some now.
  try {
    writeIfOther(paths.layout, LAYOUT_TEXT);
    writeIfOther(paths.index, indexOf(records));
  } catch (error) {
    if (onFull === "fail" || !isErrno(error, "ENOSPC", "EDQUOT")) throw error;
  }
}

function removeUnused(images: string, records: readonly ImageRecord[]): void {
  using claim = tryClaimStore(images);
  if (claim === undefined) return;
  const paths = storePaths(images);
  const used = [...records, ...listCached(images)].flatMap((record) => record.layers);
  const layers = new Set(used.map(({ directory }) => directory));
  const documents = records.flatMap(({ id, digest }) => [id, digest]);
  const blobs = new Set([...documents, ...used.map(({ blob }) => blob)].map(hexOf));
  for (const { name } of listDirectory(paths.layers)) if (!layers.has(name)) removeTree(`${paths.layers}/${name}`);
  for (const { name } of listDirectory(paths.blobs)) if (!blobs.has(name)) removeFile(`${paths.blobs}/${name}`);
  removePartials(images);
}
