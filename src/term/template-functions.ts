/**
 * The functions of templates: Go's own and those that docker adds (docs.docker.com/engine/cli/formatting). Pure.
 */
import { Failure } from "../failure.ts";

/** Writes a value as JSON. */
export type Json = (value: unknown) => string | undefined;
type Function = (args: readonly unknown[], json: Json) => unknown;

const WIDTH_LIMIT = 1000;

/** What a terminal would obey: labels and output of programs are strangers' words. Lines and columns stay. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** A value as Go prints it, but for what a terminal would obey. */
export function printed(value: unknown): string {
  if (typeof value === "string") return value.replace(CONTROLS, " ");
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(printed).join(" ")}]`;
  if (typeof value === "function") return "";
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `map[${entries.map(([name, item]) => `${name}:${printed(item)}`).join(" ")}]`;
}

/** As Go's `if` takes it: what is empty is false. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : printed(value));

function lengthOf(value: unknown): number {
  if (typeof value === "string" || Array.isArray(value)) return value.length;
  if (typeof value === "object" && value !== null) return Object.keys(value).length;
  throw new Failure("'len' in the template is of something that has no length");
}

function itemOf(value: unknown, keys: readonly unknown[]): unknown {
  let found = value;
  for (const key of keys) {
    if (Array.isArray(found)) {
      if (typeof key !== "number" || !(key in found))
        throw new Failure(`the template asks for item ${key} of ${found.length}`);
      found = found[key];
    } else if (typeof found === "object" && found !== null) {
      const name = String(key);
      found = Object.hasOwn(found, name) ? (found as Readonly<Record<string, unknown>>)[name] : undefined;
    } else throw new Failure("'index' in the template is of something that has no items");
  }
  return found;
}

/** The place of the first that is wanted, or of the last of all. */
function firstOf(args: readonly unknown[], isWanted: (arg: unknown) => boolean): number {
  const at = args.findIndex(isWanted);
  return at < 0 ? args.length - 1 : at;
}

const blanks = (count: unknown): string => " ".repeat(Math.min(Math.max(0, Number(count) || 0), WIDTH_LIMIT));

/** `%s %v %d %q %%` and widths, as in `%-10s`. */
function formatted([format, ...values]: readonly unknown[], json: Json): string {
  let index = 0;
  return text(format).replace(/%(-?)(\d{0,3})(?:\.\d+)?([svdqf%])/g, (_, left: string, width: string, kind: string) => {
    if (kind === "%") return "%";
    const value = values[index++];
    const shown = kind === "q" ? (json(text(value)) ?? "") : text(value);
    return left === "-" ? shown.padEnd(Number(width)) : shown.padStart(Number(width));
  });
}

/** Numbers as numbers, all else as texts. */
function compare(one: unknown, other: unknown): number {
  const [a, b] = typeof one === "number" || typeof one === "bigint" ? [one, Number(other)] : [text(one), text(other)];
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

const compared =
  (isWanted: (order: number) => boolean): Function =>
  ([one, other]) =>
    isWanted(compare(one, other));

export const BUILT_IN: Readonly<Record<string, Function>> = {
  json: ([value], json) => json(value) ?? "null",
  join: ([list, separator]) => (Array.isArray(list) ? list.map(printed).join(text(separator)) : text(list)),
  split: ([value, separator]) => text(value).split(text(separator)),
  lower: ([value]) => text(value).toLowerCase(),
  upper: ([value]) => text(value).toUpperCase(),
  title: ([value]) =>
    text(value).replace(/(^|\s)(\S)/g, (_, blank: string, letter: string) => blank + letter.toUpperCase()),
  truncate: ([value, length]) => text(value).slice(0, Number(length)),
  pad: ([value, before, after]) => `${blanks(before)}${text(value)}${blanks(after)}`,
  len: ([value]) => lengthOf(value),
  index: ([value, ...keys]) => itemOf(value, keys),
  slice: ([value, from, to]) =>
    Array.isArray(value)
      ? value.slice(Number(from ?? 0), to as number)
      : text(value).slice(Number(from ?? 0), to as number),
  print: (args) => args.map(text).join(""),
  println: (args) => `${args.map(text).join(" ")}\n`,
  printf: formatted,
  and: (args) => args[firstOf(args, (arg) => !isTrue(arg))],
  or: (args) => args[firstOf(args, isTrue)],
  not: ([value]) => !isTrue(value),
  eq: ([one, ...others]) => others.some((other) => compare(one, other) === 0),
  ne: compared((order) => order !== 0),
  lt: compared((order) => order < 0),
  le: compared((order) => order <= 0),
  gt: compared((order) => order > 0),
  ge: compared((order) => order >= 0),
};
