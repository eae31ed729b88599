/**
 * Holds JSON data against a shape. Errors are returned, not thrown, and get their path on the way up: where nothing is
 * wrong, no path is ever made.
 */

import { Failure } from "../failure.ts";
import { isObject } from "./json.ts";
import { showPath, showValue } from "./json-path.ts";
import type { Fields, Infer, Int64, ObjectShape, Shape } from "./shape.ts";

/** What is wrong, and where. */
export interface Misfit {
  readonly path: (string | number)[];
  /** ` is missing`, or `: expected an integer, got "12m"`. */
  readonly what: string;
}

/** What was seen on the way. */
export interface Tally {
  /** Whether integers are BigInts where they are not safe; if not, such numbers are let pass and noted. */
  readonly exact: boolean;
  /** Fields of all objects. */
  members: number;
  /** A number that may have been another one in the text, or more of something than is taken for granted. */
  doubtful: boolean;
  /** Whether fields were deleted or filled in. */
  changed?: boolean;
}

/** Lists and objects that are longer, and fields unknown to the specification that are deeper, are looked at more closely. */
const PLAIN_LENGTH = 65_536;
const PLAIN_DEPTH = 32;

/**
 * Whether a value is of a shape: undefined if so. Fields that are null count as missing and are deleted, as are empty words:
 * engines written in Go write both for what is not set. Missing fields that have a default get it.
 */
export function misfitOf(shape: Shape, value: unknown, tally: Tally): Misfit | undefined {
  // By how often they come: engines compare these names one after the other.
  switch (shape.is) {
    case "object":
      return objectMisfit(shape, value, tally);
    case "list":
      return listMisfit(shape.item, value, tally);
    case "text":
      return typeof value === "string" ? undefined : misfit("a string", value);
    case "word":
      return typeof value === "string" && shape.words.includes(value)
        ? undefined
        : misfit(`one of ${shape.words.join(", ")}`, value);
    case "integer":
      return typeof value === "number" && Number.isSafeInteger(value) && value >= shape.least && value <= shape.most
        ? undefined
        : integerMisfit(shape.least, shape.most, value, tally);
    case "wide integer":
      return typeof value === "number" && Number.isSafeInteger(value) && (value >= 0 || shape.least < 0n)
        ? undefined
        : integerMisfit(shape.least, shape.most, value, tally);
    case "flag":
      return typeof value === "boolean" ? undefined : misfit("true or false", value);
    case "map":
      return mapMisfit(shape.item, value, tally);
    case "default":
      return misfitOf(shape.inner, value, tally);
  }
}

/** Throws a Failure that begins with the name of the source: `config.json: process.cwd is missing`. */
export function assertFits<S extends Shape>(
  shape: S,
  value: unknown,
  tally: Tally,
  source: string,
): asserts value is Infer<S> {
  const found = misfitOf(shape, value, tally);
  if (found === undefined) return;
  const path = showPath(found.path);
  throw new Failure(path === "" ? `${source}${found.what}` : `${source}: ${path}${found.what}`);
}

function misfit(expected: string, value: unknown): Misfit {
  return { path: [], what: `: expected ${expected}, got ${showValue(value)}` };
}

function within(key: string | number, found: Misfit): Misfit {
  found.path.unshift(key);
  return found;
}

/** Of what is no safe integer in range. */
function integerMisfit(least: Int64, most: Int64, value: unknown, tally: Tally): Misfit | undefined {
  if (typeof value === "bigint" && value >= least && value <= most) return undefined;
  const isInteger = typeof value === "bigint" || Number.isInteger(value);
  if (!tally.exact && isInteger && !Number.isSafeInteger(value)) {
    tally.doubtful = true;
    return undefined;
  }
  return misfit(isInteger ? `an integer from ${least} to ${most}` : "an integer", value);
}

function listMisfit(item: Shape, value: unknown, tally: Tally): Misfit | undefined {
  if (!Array.isArray(value)) return misfit("an array", value);
  const { length } = value;
  if (length > PLAIN_LENGTH) tally.doubtful = true;
  if (item.is === "text") {
    if (value.every(isText)) return undefined;
    const index = value.findIndex((item) => !isText(item));
    return within(index, misfit("a string", value[index]));
  }
  for (let index = 0; index < length; index++) {
    const found = misfitOf(item, value[index], tally);
    if (found !== undefined) return within(index, found);
  }
  return undefined;
}

const isText = (value: unknown): boolean => typeof value === "string";

/** The keys of an object, counted; `__proto__`, which JSON.parse makes an own property, is one like others. */
function keysOf(value: object, tally: Tally): string[] {
  const keys = Object.keys(value);
  tally.members += keys.length;
  if (keys.length > PLAIN_LENGTH) tally.doubtful = true;
  return keys;
}

function mapMisfit(item: Shape, value: unknown, tally: Tally): Misfit | undefined {
  if (!isObject(value)) return misfit("an object", value);
  for (const key of keysOf(value, tally)) {
    const found = misfitOf(item, value[key], tally);
    if (found !== undefined) return within(key, found);
  }
  return undefined;
}

function objectMisfit(shape: ObjectShape<Fields, Fields>, value: unknown, tally: Tally): Misfit | undefined {
  if (!isObject(value)) return misfit("an object", value);
  const { required, optional } = shape;
  let missing = shape.requiredCount;
  const keys = keysOf(value, tally);
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] ?? "";
    const item = value[key];
    let field = optional[key];
    let is = field?.is;
    // What every object has, `constructor` and the like, is no field.
    if (is === undefined) {
      field = required[key];
      is = field?.is;
      if (is !== undefined) missing--;
    }
    if (is === "text" && typeof item === "string") continue;
    if (is === undefined || field === undefined) {
      countUnknown(item, tally, 0);
      continue;
    }
    const found = misfitOf(field, item, tally);
    if (found === undefined) continue;
    if (!isBlank(field, item)) return within(key, found);
    delete value[key];
    tally.changed = true;
    if (field === required[key]) missing++;
  }
  if (missing === 0) return undefined;
  tally.changed = true;
  return fillIn(required, value);
}

/** Gives the missing fields their defaults. */
function fillIn(required: Fields, value: Record<string, unknown>): Misfit | undefined {
  for (const [key, field] of Object.entries(required)) {
    if (Object.hasOwn(value, key)) continue;
    if (field.is !== "default") return { path: [key], what: " is missing" };
    value[key] = JSON.parse(field.json);
  }
  return undefined;
}

/** What engines write for a field that is not set. */
function isBlank(field: Shape, value: unknown): boolean {
  return value === null || (field.is === "word" && value === "");
}

/** Nothing is known of it; its fields are counted like all. */
function countUnknown(value: unknown, tally: Tally, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > PLAIN_DEPTH) {
    tally.doubtful = true;
    return;
  }
  if (Array.isArray(value)) {
    if (value.length > PLAIN_LENGTH) tally.doubtful = true;
    for (const item of value) countUnknown(item, tally, depth + 1);
    return;
  }
  for (const item of Object.values(value)) {
    tally.members++;
    countUnknown(item, tally, depth + 1);
  }
}
