/**
 * Values of flags, from text: sizes, numbers, times, devices. Each says what is wrong, and how it is written.
 */
import type { DeviceRequest } from "../container/options.ts";
import { Failure } from "../failure.ts";
import type { DeviceRule } from "../spec/config.ts";

export const MOST_PROCESSES = 4_194_304;
export const LONGEST_STOP_SECONDS = 1_000_000;
const LEAST_MEMORY_BYTES = 6 * 1024 * 1024;

const UNITS: Readonly<Record<string, number>> = {
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
};
const SIZE_FORM = /^(\d{1,15}(?:\.\d{1,6})?) ?(?:([kmgtp])i?)?b?$/;

/** `512m`, `1.5g`, `64MiB`, `1048576` -> bytes. `what` names the value in the error: "memory size". */
export function parseSize(input: string, what: string): number {
  const [, number = "", unit] = SIZE_FORM.exec(input.toLowerCase()) ?? [];
  const exact = number === "" ? Number.NaN : Number(number) * (UNITS[unit ?? ""] ?? 1);
  const bytes = Math.floor(exact);
  // 0 means that there is no limit: a fraction of a byte does not.
  if (Number.isSafeInteger(bytes) && (bytes > 0 || exact === 0)) return bytes;
  throw new Failure(`bad ${what} '${input}'`, { hint: "use a number with b, k, m or g, as in 512m" });
}

/** A limit of memory; 0 is none. */
export function parseMemory(input: string, what = "memory size"): number {
  const bytes = parseSize(input, what);
  if (bytes === 0 || bytes >= LEAST_MEMORY_BYTES) return bytes;
  throw new Failure(`${what} '${input}' is too small`, {
    hint: "the least that a container can start with is 6m; 0 is no limit",
  });
}

/** A whole number between two. */
export function parseWhole(input: string, what: string, least: number, most: number): number {
  const number = /^-?\d{1,16}$/.test(input) ? Number(input) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Failure(`bad ${what} '${input}'`, { hint: `use a whole number from ${least} to ${most}` });
}

/** A number of cores: `0.5`, `2`. */
export function parseCpus(input: string, what = "number of cores"): number {
  const cpus = /^\d{0,6}(\.\d{1,9})?$/.test(input) && input !== "" ? Number(input) : Number.NaN;
  if (cpus === 0 || cpus >= 0.01) return cpus;
  throw new Failure(`bad ${what} '${input}'`, { hint: "use 0.5 for half a core, 2 for two, 0 for no limit" });
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

const DEVICE_HINT = "use /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:/dev/OTHER:rw";

function isAccess(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/** `--device SOURCE[:TARGET][:ACCESS]`. */
export function parseDevice(input: string): DeviceRequest {
  const [source = "", ...others] = input.split(":");
  const access = others.length > 0 && isAccess(others.at(-1) ?? "") ? others.pop() : undefined;
  const [target = source, another] = others;
  const isPath = (path: string) => path.startsWith("/") && !path.split("/").includes("..");
  if (isPath(source) && isPath(target) && another === undefined) return { source, target, access: access ?? "rwm" };
  throw new Failure(`bad device '${input}'`, { hint: DEVICE_HINT });
}

/** `--device-cgroup-rule 'c 10:* rwm'`. */
export function parseDeviceRule(input: string): DeviceRule {
  const [, type, major = "", minor = "", access = ""] =
    /^([abc]) (\d{1,7}|\*):(\d{1,7}|\*) ([rwm]{1,3})$/.exec(input) ?? [];
  if ((type !== "a" && type !== "b" && type !== "c") || !isAccess(access)) {
    throw new Failure(`bad device rule '${input}'`, { hint: "use a type, numbers and an access, as in 'c 10:* rw'" });
  }
  return {
    allow: true,
    type,
    ...(major === "*" ? {} : { major: Number(major) }),
    ...(minor === "*" ? {} : { minor: Number(minor) }),
    access,
  };
}
