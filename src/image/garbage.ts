/**
 * After a change of the records: what no record of an image or of the cache speaks of any more is removed, and the index is written anew.
 */
import { listDirectory, readTextIfThere, removeFile, removeTree, replaceFile } from "../linux/hostpath.ts";
import { putBack } from "./aside.ts";
import { listCached } from "./cache-records.ts";
import { tryClaimStore } from "./hold.ts";
import { indexOf, LAYOUT_TEXT } from "./index-file.ts";
import { removePartials } from "./partial.ts";
import { hexOf } from "./reference.ts";
import { listRecords, storePaths } from "./store.ts";

function writeIfOther(path: string, text: string): void {
  if (readTextIfThere(path) !== text) replaceFile(path, text, { durable: false });
}

/**
 * Makes all else in the store agree with the records; as long as a build is under way, nothing of it is removed. The caller holds
 * the lock of writers.
 */
export function settle(images: string): void {
  const paths = storePaths(images);
  putBack(images);
  const records = listRecords(images);
  writeIfOther(paths.layout, LAYOUT_TEXT);
  writeIfOther(paths.index, indexOf(records));
  using claim = tryClaimStore(images);
  if (claim === undefined) return;
  const used = [...records, ...listCached(images)].flatMap((record) => record.layers);
  const layers = new Set(used.map(({ directory }) => directory));
  const documents = records.flatMap(({ id, digest }) => [id, digest]);
  const blobs = new Set([...documents, ...used.map(({ blob }) => blob)].map(hexOf));
  for (const { name } of listDirectory(paths.layers)) if (!layers.has(name)) removeTree(`${paths.layers}/${name}`);
  for (const { name } of listDirectory(paths.blobs)) if (!blobs.has(name)) removeFile(`${paths.blobs}/${name}`);
  removePartials(images);
}
