/**
 * Reads what an engine gives to an OCI runtime, as text of others: checked against the shapes of the specification, with exact
 * integers. In the common case the text is read once, by JSON.parse, which is by far the fastest reader here; when it may hide
 * something (duplicate keys, rounded integers, text that is no text) or fails, strict-json.ts reads it again and says what it is.
 */
import { Failure } from "../failure.ts";
import type { Process, Resources, Spec } from "./config.ts";
import { assertFits, type Tally } from "./fits.ts";
import { spec } from "./schema.ts";
import { process } from "./schema-process.ts";
import { resources } from "./schema-resources.ts";
import type { Infer, Shape } from "./shape.ts";
import { parseStrict } from "./strict-json.ts";

const TEXT_LIMIT_CHARACTERS = 16 * 1024 * 1024;
/** Longer ones are read by strict-json.ts: to look through them in other ways takes as long, and more memory. */
const PLAIN_LIMIT_CHARACTERS = 1024 * 1024;
const BYTE_ORDER_MARK = 0xfeff;

/** A bundle's config.json. Throws a Failure which names the place of what is wrong. */
export function parseConfig(text: string): Spec {
  return parseAs(spec, text, "config.json");
}

/** As `parseConfig`, with whether JSON.parse alone makes the same of the text: then that is how it may be read again. */
export function parseNewConfig(text: string): { readonly spec: Spec; readonly isPlain: boolean } {
  let isPlain = false;
  const parsed = parseAs(spec, text, "config.json", () => {
    isPlain = true;
  });
  return { spec: parsed, isPlain };
}

/** The process of `exec --process`. */
export function parseProcess(text: string, source = "process"): Process {
  return parseAs(process, text, source);
}

/** The limits of `update --resources`. */
export function parseResources(text: string, source = "resources"): Resources {
  return parseAs(resources, text, source);
}

/** @param plainly called if JSON.parse alone makes the same of the text */
function parseAs<S extends Shape>(shape: S, text: string, source: string, plainly = (): void => {}): Infer<S> {
  if (text.length > TEXT_LIMIT_CHARACTERS) throw new Failure(`${source}: is larger than 16 MiB`);
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) throw new Failure(`${source}: begins with a byte order mark`);
  const plain = parsePlain(text);
  if (plain !== undefined) {
    const tally: Tally = { exact: false, members: 0, doubtful: false };
    assertFits(shape, plain.value, tally, source);
    if (!tally.doubtful && tally.members === plain.members) {
      if (tally.changed !== true) plainly();
      return plain.value;
    }
  }
  const value = parseStrict(text, source);
  assertFits(shape, value, { exact: true, members: 0, doubtful: false }, source);
  return value;
}

/** What a count of `":` does not see or sees wrongly, and how NUL and halves of surrogate pairs are written with escapes. */
const HIDING_SPACES = [" :", "\n:", "\t:", "\r:"];
const HIDING_ESCAPES = ['\\\\":', "\\u0000", "\\ud", "\\uD"];

/** The value, and how many fields all its objects have in the text; undefined if that needs a closer look. */
function parsePlain(text: string): { readonly value: unknown; readonly members: number } | undefined {
  const has = (part: string) => text.split(part, 2).length > 1;
  if (text.length > PLAIN_LIMIT_CHARACTERS || !text.isWellFormed() || HIDING_SPACES.some(has)) return undefined;
  const hasEscapes = has("\\");
  if (hasEscapes && HIDING_ESCAPES.some(has)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return { value, members: count(text, '":') - (hasEscapes ? count(text, '\\":') : 0) };
  } catch {
    return undefined;
  }
}

/** How often a part is in a text. In QuickJS a split takes a quarter of the time of `includes` and `indexOf`. */
function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
