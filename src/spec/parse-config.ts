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
const BYTE_ORDER_MARK = 0xfeff;

/** A bundle's config.json. Throws a Failure which names the place of what is wrong. */
export function parseConfig(text: string): Spec {
  return parseAs(spec, text, "config.json");
}

/** The process of `exec --process`. */
export function parseProcess(text: string, source = "process"): Process {
  return parseAs(process, text, source);
}

/** The limits of `update --resources`. */
export function parseResources(text: string, source = "resources"): Resources {
  return parseAs(resources, text, source);
}

function parseAs<S extends Shape>(shape: S, text: string, source: string): Infer<S> {
  if (text.length > TEXT_LIMIT_CHARACTERS) throw new Failure(`${source}: is larger than 16 MiB`);
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) throw new Failure(`${source}: begins with a byte order mark`);
  const plain = parsePlain(text);
  if (plain !== undefined) {
    const tally: Tally = { exact: false, members: 0, doubtful: false };
    assertFits(shape, plain.value, tally, source);
    if (!tally.doubtful && tally.members === plain.members) return plain.value;
  }
  const value = parseStrict(text, source);
  assertFits(shape, value, { exact: true, members: 0, doubtful: false }, source);
  return value;
}

/** What hides from a count of `":`, and escapes of what is not allowed in text: NUL and the halves of surrogate pairs. */
const HIDING = [" :", "\t:", "\n:", "\r:", '\\\\":', "\\u0000", "\\ud", "\\uD"];

/** The value, and how many fields all its objects have in the text; undefined if that needs a closer look. */
function parsePlain(text: string): { value: unknown; members: number } | undefined {
  if (!text.isWellFormed() || HIDING.some((hiding) => text.includes(hiding))) return undefined;
  try {
    return { value: JSON.parse(text), members: count(text, '":') - count(text, '\\":') };
  } catch {
    return undefined;
  }
}

function count(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return found;
}
