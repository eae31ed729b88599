/**
 * Keys of the cache: one digest of all that a step's result depends on. Pure.
 */
import { hexOf } from "../image/reference.ts";
import { digestOf } from "../image/sha256.ts";

/** Changes with what steps do with the same input. */
const VERSION = 2;

/** The key of a step: 64 hex digits. */
export function stepKey(parts: readonly unknown[]): string {
  return hexOf(digestOf(JSON.stringify([VERSION, ...parts])));
}
