/**
 * How messages name a place in JSON data, `linux.resources.memory.limit` or `mounts[3].options[0]`, and what stands there.
 */

/** Where something is: the keys and indexes from the top. */
export type JsonPath = readonly (string | number)[];

/** Longer keys and texts are cut in messages. */
const SHOWN_CHARACTERS = 64;
const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** `mounts[3].options`; keys that are no plain names are quoted: `annotations["a.b"]`. The top is the empty text. */
export function showPath(path: JsonPath): string {
  let text = "";
  for (const key of path) {
    if (typeof key === "number") text += `[${key}]`;
    else if (PLAIN_KEY.test(key)) text += text === "" ? key : `.${key}`;
    else text += `[${quote(key)}]`;
  }
  return text;
}

/** A value as a message has it: scalars as JSON, of the rest the kind. */
export function showValue(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : String(value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
}
