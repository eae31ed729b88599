/**
 * Ids of containers: the image's base name and six hex digits, as in `alpine-c4a2f1`.
 */
import { call } from "../linux/error.ts";

/** An id is the default host name, too: 63 characters at most (hostname(7)). */
const BASE_LIMIT = 56;

/** Six random hex digits. */
export function randomHex(): string {
  const bytes = new Uint8Array(3);
  call("getrandom", "", bytes, bytes.length, 0);
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What of an image's name may be in an id. */
export function idBase(name: string): string {
  const letters = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-")
    .slice(0, BASE_LIMIT);
  const trimmed = letters.replace(/^-+/, "").replace(/-+$/, "");
  return trimmed === "" ? "container" : trimmed;
}

export function newId(baseName: string): string {
  return `${idBase(baseName)}-${randomHex()}`;
}
