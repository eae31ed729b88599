/**
 * What COPY and ADD copy, as one digest: the key that the cache knows it by. Times are no part of it, as with docker.
 */
import { digestOfFiles } from "../image/codec.ts";
import { listOf } from "../image/pack.ts";
import { type Found, type Tree, type Visited, visit } from "./tree.ts";
import { xattrText } from "./xattrs.ts";

/** Of a file, as the codec's command `digest` wants it: a regular file's begins with `f`. */
function noteOf({ status, target, xattrs }: Visited, keepsOwners: boolean): string {
  const { type, mode, uid, gid, device } = status;
  const owner = keepsOwners ? `${uid}:${gid}` : "";
  const letter = {
    file: "f",
    directory: "d",
    link: "l",
    character: "c",
    block: "b",
    fifo: "p",
    socket: "s",
    unknown: "u",
  }[type];
  const more = type === "character" || type === "block" ? `${device.major}:${device.minor}` : (target ?? "");
  return `${letter} ${mode.toString(8)} ${owner} ${xattrText(xattrs)} ${more}`;
}

/** The digest of some files of a tree. Takes as long as reading them. */
export function contentDigest(tree: Tree, found: readonly Found[], isExcluded: (path: string) => boolean): string {
  const fields: string[] = [];
  for (const source of found) {
    fields.push(source.path, `= ${source.asked}`);
    for (const visited of visit(tree, source)) {
      if (isExcluded(visited.path)) continue;
      fields.push(visited.path === "" ? "." : visited.path, noteOf(visited, tree.keepsOwners));
    }
  }
  using list = listOf(fields);
  return digestOfFiles({ kind: "read-only", directory: tree.path }, list, tree.about).digest;
}
