/**
 * The keys by which one leaves a container that goes on: `ctrl-p,ctrl-q`, unless others are said.
 */
import { Failure } from "../failure.ts";

export const DEFAULT_DETACH_KEYS = "ctrl-p,ctrl-q";

/** `ctrl-p,q` -> what a terminal sends for that. Pure. */
export function parseDetachKeys(text: string): Uint8Array {
  const codes = text.split(",").map((key) => {
    const [, control] = /^ctrl-([a-z@[\\\]^_])$/.exec(key) ?? [];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 64;
    if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
    throw new Failure(`'${text}' are no keys to detach by`, {
      hint: "write letters, or ctrl- with a letter, with commas between them, as in ctrl-p,ctrl-q",
    });
  });
  return new Uint8Array(codes);
}

/**
 * Looks for the keys in what is typed. What may be their beginning is kept back, until it is known whether it is.
 * @returns what is to be passed on; undefined when all of them have been typed
 */
export function detachFilter(keys: Uint8Array): (typed: Uint8Array) => Uint8Array | undefined {
  let seen = 0;
  return (typed) => {
    const passed: number[] = [];
    for (const code of typed) {
      if (code === keys[seen]) {
        seen++;
        if (seen === keys.length) return undefined;
        continue;
      }
      passed.push(...keys.subarray(0, seen));
      seen = code === keys[0] ? 1 : 0;
      if (seen === 0) passed.push(code);
    }
    return new Uint8Array(passed);
  };
}
