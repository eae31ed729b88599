/**
 * Values of flags, from text: sizes, numbers, times, names. Each says what is wrong, and how it is written.
 */
import { Failure } from "../failure.ts";

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
};
const SIZE_FORM = /^(\d{1,15})(\.\d{1,6})?\s?([bkmgtp]?)(?:i?b)?$/;

/** `512m`, `1.5g`, `64MiB`, `1048576` -> bytes. `what` names the value in the error: "memory size". */
export function parseSize(input: string, what: string): number {
  const match = SIZE_FORM.exec(input.toLowerCase());
  const bytes =
    match === null ? Number.NaN : Math.floor(Number(`${match[1]}${match[2] ?? ""}`) * (UNITS[match[3] || "b"] ?? 1));
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new Failure(`bad ${what} '${input}'`, { hint: "use a number with b, k, m or g, as in 512m" });
}

/** A whole number between two. */
export function parseWhole(input: string, what: string, least: number, most: number): number {
  const number = /^-?\d{1,16}$/.test(input) ? Number(input) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Failure(`bad ${what} '${input}'`, { hint: `use a whole number from ${least} to ${most}` });
}

/** A number of cores: `0.5`, `2`. */
export function parseCpus(input: string): number {
  const cpus = /^\d{0,6}(\.\d{1,9})?$/.test(input) && input !== "" ? Number(input) : Number.NaN;
  if (cpus === 0 || cpus >= 0.01) return cpus;
  throw new Failure(`bad number of cores '${input}'`, { hint: "use 0.5 for half a core, 2 for two, 0 for no limit" });
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };

/** `10`, `1m30s`, `500ms` -> seconds. */
export function parseSeconds(input: string, what: string): number {
  if (/^\d{1,9}$/.test(input)) return Number(input);
  let seconds = 0;
  let rest = input;
  while (rest !== "") {
    const part = /^(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)/.exec(rest);
    if (part === null) throw new Failure(`bad ${what} '${input}'`, { hint: "use seconds, or a time as in 1m30s" });
    seconds += Number(part[1]) * (DURATION_UNITS[part[2] ?? "s"] ?? 1);
    rest = rest.slice(part[0].length);
  }
  return seconds;
}

/** CPUs or memory nodes: `0-3,7`. */
export function parseCpuset(input: string, what: string): string {
  if (/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?){0,1023}$/.test(input)) return input;
  throw new Failure(`bad ${what} '${input}'`, { hint: "use numbers and ranges, as in 0-3,7" });
}

/** `KEY=VALUE` or `KEY`, where the key is not empty. */
export function parseKeyValue(input: string, what: string): [key: string, value: string | undefined] {
  const equals = input.indexOf("=");
  const key = equals < 0 ? input : input.slice(0, equals);
  if (key === "" || input.includes("\0")) throw new Failure(`bad ${what} '${input}'`, { hint: "use NAME=VALUE" });
  return [key, equals < 0 ? undefined : input.slice(equals + 1)];
}
