/**
 * `--filter` of commands that list things. Pure.
 */
import { Failure } from "../failure.ts";

/** What the values of a filter mean: one of them must do, or (labels) all. */
export type Test<T> = (value: string) => (thing: T) => boolean;
export interface FilterKinds<T> {
  readonly [name: string]: { readonly test: Test<T>; readonly all?: boolean };
}

/** What `--filter NAME=VALUE ...` lets pass. Throws a Failure for a name that there is not. */
export function parseFilters<T>(kinds: FilterKinds<T>, texts: readonly string[]): (thing: T) => boolean {
  const byName = new Map<string, ((thing: T) => boolean)[]>();
  for (const text of texts) {
    const equals = text.indexOf("=");
    const name = text.slice(0, Math.max(0, equals));
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined) {
      throw new Failure(`unknown filter '${text}'`, {
        hint: `use ${Object.keys(kinds)
          .map((one) => `${one}=`)
          .join(", ")}`,
      });
    }
    byName.set(name, [...(byName.get(name) ?? []), kind.test(text.slice(equals + 1))]);
  }
  return (thing) =>
    [...byName].every(([name, tests]) =>
      kinds[name]?.all === true ? tests.every((test) => test(thing)) : tests.some((test) => test(thing)),
    );
}

/** The names of filters of `parseFilters`, for the help. */
export const filterNames = (kinds: FilterKinds<never>): string =>
  Object.keys(kinds)
    .map((name) => `${name}=`)
    .join(", ");

/** `NAME` or `NAME=VALUE` among labels. */
export function labelTest(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const equals = text.indexOf("=");
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? undefined : text.slice(equals + 1);
  return (labels) => Object.hasOwn(labels, name) && (value === undefined || labels[name] === value);
}

/** `true` or `false`. Throws a Failure for anything else. */
export function truthOf(text: string, filter: string): boolean {
  if (["true", "1"].includes(text)) return true;
  if (["false", "0"].includes(text)) return false;
  throw new Failure(`the filter '${filter}' is true or false, not '${text}'`);
}

/** Whether a pattern of the shell stands for a text: `*` and `?` for all but `/`, and `[a-z]` (Go's path.Match). */
export function globTest(pattern: string): (text: string) => boolean {
  const source = pattern.replace(/\[(\^?)([^\]\\]*)\]|[*?]|[^*?]/gs, (part: string, not: string, set: string) => {
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    return set === undefined ? part.replace(/[\\^$.|+()[\]{}/]/, "\\$&") : `[${not}${set}]`;
  });
  try {
    const matcher = new RegExp(`^${source}$`);
    return (text) => matcher.test(text);
  } catch {
    throw new Failure(`bad pattern '${pattern}'`, { hint: "as in 'alpine:3.*'" });
  }
}

const DURATION = /^([0-9]+)(s|m|h|d)$/;
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Milliseconds since 1970: `24h` ago, or a time as RFC 3339 or in seconds since 1970. */
export function parseUntil(text: string, nowMs: number): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * SECONDS[unit as keyof typeof SECONDS] * 1000;
  const time = /^[0-9]{1,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new Failure(`'${text}' is no time`, { hint: "as in until=24h, or until=2026-01-31T12:00:00Z" });
}
