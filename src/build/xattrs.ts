/**
 * Extended attributes that a copy keeps: `security.capability`, and what users set. Labels and lists of access are the host's.
 */
import { cString } from "../linux/door.ts";
import { attempt } from "../linux/error.ts";

const KEPT_XATTRS = ["user.", "security.capability"] as const;
/** XATTR_LIST_MAX and XATTR_SIZE_MAX (include/uapi/linux/limits.h). */
const XATTR_BYTES = 64 * 1024;

export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Attributes as a text without NUL; no two lists of them have the same. */
export const xattrText = (xattrs: readonly Xattr[]): string =>
  xattrs.map(({ name, value }) => `${JSON.stringify(name)}=${hexOf(value)}`).join(",");

/** Those of an open file or directory that are kept, by name; O_PATH will do. */
export function keptXattrs(fd: number): Xattr[] {
  // fgetxattr(2) takes no O_PATH; the name of the descriptor leads to the same file.
  const path = `/proc/self/fd/${fd}`;
  const list = new Uint8Array(XATTR_BYTES);
  const length = attempt("listxattr", path, list, list.length);
  const found: Xattr[] = [];
  for (let at = 0; at < length; ) {
    const name = cString(list, at);
    at = list.indexOf(0, at) + 1;
    if (!KEPT_XATTRS.some((kept) => name.startsWith(kept))) continue;
    const value = new Uint8Array(XATTR_BYTES);
    const size = attempt("getxattr", path, name, value, value.length);
    if (size >= 0) found.push({ name, value: value.slice(0, size) });
  }
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}
