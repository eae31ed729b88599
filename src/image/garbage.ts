/**
 * After a change of the records: what no record speaks of any more is removed, and the index is written anew.
 */
import { isErrno } from "../linux/error.ts";
import { listDirectory, readTextIfThere, removeFile, removeTree, replaceFile } from "../linux/hostpath.ts";
import { indexOf, LAYOUT_TEXT } from "./index-file.ts";
import { removePartials } from "./partial.ts";
import { hexOf } from "./reference.ts";
import { listRecords, storePaths } from "./store.ts";

function writeIfOther(path: string, text: string): void {
  if (readTextIfThere(path) !== text) replaceFile(path, text, { durable: false });
}

/**
 * Makes all else in the store agree with the records. The caller holds the lock of writers.
 * @param onFull what a disk without room for the index is: it may stay as it was after a removal, and the next change writes it
 */
export function settle(images: string, onFull: "fail" | "go on" = "fail"): void {
  const paths = storePaths(images);
  const records = listRecords(images);
  const layers = new Set(records.flatMap((record) => record.layers.map(({ directory }) => directory)));
  const blobs = new Set(
    records.flatMap(({ id, digest, layers }) => [id, digest, ...layers.map(({ blob }) => blob)].map(hexOf)),
  );
  for (const { name } of listDirectory(paths.layers)) if (!layers.has(name)) removeTree(`${paths.layers}/${name}`);
  for (const { name } of listDirectory(paths.blobs)) if (!blobs.has(name)) removeFile(`${paths.blobs}/${name}`);
  removePartials(images);
  // What needs room comes last: on a full disk there is some now.
  try {
    writeIfOther(paths.layout, LAYOUT_TEXT);
    writeIfOther(paths.index, indexOf(records));
  } catch (error) {
    if (onFull === "fail" || !isErrno(error, "ENOSPC", "EDQUOT")) throw error;
  }
}
