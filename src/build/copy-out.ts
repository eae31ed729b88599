/**
 * Copies of what trees have, for programs that are to have it without the tree: what is ignored is not there, and what they
 * write reaches nobody's files.
 */
import type { Staging } from "../image/staging.ts";
import { O_DIRECTORY, O_RDONLY, openHost } from "../linux/hostpath.ts";
import { openInRoot } from "../linux/rootpath.ts";
import { type Copying, copyContents, copyEntry } from "./copy-tree.ts";
import type { Found, Tree } from "./tree.ts";

/** A copy of what is there of a tree, in the staging place: its path. */
export function copyOf(staging: Staging, tree: Tree, found: Found): string {
  const path = staging.newDirectory();
  using root = openHost(path, O_RDONLY | O_DIRECTORY);
  const rules = { owner: undefined, modeOf: (mode: number) => mode, isExcluded: () => false };
  const copying: Copying = { tree, root, rules, linked: new Map() };
  const place = { fd: root.fd, path: "" };
  if (found.status.type === "directory") {
    using from = openInRoot(tree.root.fd, found.path === "" ? "/" : found.path, O_RDONLY | O_DIRECTORY);
    copyContents(copying, from, found.path, place);
    return path;
  }
  const slash = found.path.lastIndexOf("/");
  using parent = openInRoot(tree.root.fd, slash < 0 ? "/" : found.path.slice(0, slash), O_RDONLY | O_DIRECTORY);
  const name = found.path.slice(slash + 1);
  copyEntry(copying, { fd: parent.fd, name, path: found.path }, place, name);
  return `${path}/${name}`;
}
