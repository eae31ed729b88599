/**
 * What a container has changed, as a layer: the upper directory of its overlay becomes an archive (image-spec layer.md).
 */

import { entriesOf } from "../linux/directory.ts";
import { utf8 } from "../linux/door.ts";
import { attempt } from "../linux/error.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { O_DIRECTORY, O_RDONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { openEntry } from "../linux/rootpath.ts";
import { type PackedTree, type PackOptions, startPacking, type Working } from "./codec.ts";

/** Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories". */
const OPAQUE_XATTR = "trusted.overlay.opaque";
const MFD_CLOEXEC = 1;
const YES = "y".charCodeAt(0);

/** Whether an upper directory's directory hides those of the layers below. */
export function isOpaque(fd: number): boolean {
  const value = new Uint8Array(1);
  return attempt("fgetxattr", fd, OPAQUE_XATTR, value, value.length) === 1 && value[0] === YES;
}

/** The paths of opaque directories below a directory; its own is "". */
export function* opaqueDirectories(directory: Handle, path = ""): Generator<string> {
  if (isOpaque(directory.fd)) yield path;
  for (const { name, isDirectory } of entriesOf(directory.fd, path)) {
    if (!isDirectory) continue;
    using below = openEntry(directory.fd, name, O_RDONLY | O_DIRECTORY);
    yield* opaqueDirectories(below, path === "" ? name : `${path}/${name}`);
  }
}

/** Names, each ended by NUL, as a file that has no name itself. */
export function listOf(names: Iterable<string>): Handle {
  const list = callForHandle("memfd_create", "", "names", MFD_CLOEXEC);
  writeAll(list.fd, utf8([...names].map((name) => `${name}\0`).join("")));
  attempt("lseek", list.fd, 0, 0);
  return list;
}

/**
 * Begins to write what an upper directory changes into an open file. Nobody may write to the directory meanwhile.
 * @param places paths of the container that something is mounted on: what was made for that is no change
 */
export function startPackingLayer(
  upper: string,
  archive: Handle,
  about: string,
  places: readonly string[],
  options: Pick<PackOptions, "compression" | "owners">,
): Working<PackedTree> {
  using directory = openHost(upper, O_RDONLY | O_DIRECTORY);
  using opaque = listOf(opaqueDirectories(directory));
  using list = listOf(places.map((path) => path.replace(/^\/+/, "")));
  return startPacking({ kind: "read-only", directory: upper }, archive, about, {
    ...options,
    layer: { opaque, places: list },
  });
}

/** As `startPackingLayer`, to the end. */
export function packLayer(...args: Parameters<typeof startPackingLayer>): PackedTree {
  return startPackingLayer(...args).end();
}
