/**
 * The flags of `update` as resources of the specification. Values and the texts of errors are runc's.
 */
import { Failure } from "../failure.ts";
import type { CpuLimits, Int64, MemoryLimits, Resources } from "../spec/config.ts";

/** Flags that take a value and are one limit each, without `--`. */
export const UPDATE_FLAGS = [
  "blkio-weight",
  "cpu-burst",
  "cpu-idle",
  "cpu-period",
  "cpu-quota",
  "cpu-rt-period",
  "cpu-rt-runtime",
  "cpu-share",
  "cpuset-cpus",
  "cpuset-mems",
  "kernel-memory",
  "kernel-memory-tcp",
  "l3-cache-schema",
  "mem-bw-schema",
  "memory",
  "memory-reservation",
  "memory-swap",
  "pids-limit",
] as const;
export type UpdateFlag = (typeof UPDATE_FLAGS)[number];
export type UpdateFlags = Readonly<Partial<Record<UpdateFlag, string>>>;

export interface RequestedUpdate {
  readonly resources: Resources;
  /** Of Intel's resource director: resctrl(4). */
  readonly rdt: { readonly l3CacheSchema?: string; readonly memBwSchema?: string };
  readonly warnings: readonly string[];
}

/** Pure. An empty value is as none. Throws a Failure at a value that is none. */
export function resourcesOfFlags(flags: UpdateFlags): RequestedUpdate {
  const [cpu, memory, weight, pids] = [cpuOf(flags), memoryOf(flags), plain(flags, "blkio-weight"), pidsOf(flags)];
  const ignored = (["kernel-memory", "kernel-memory-tcp"] as const).filter((flag) => (flags[flag] ?? "") !== "");
  const { "l3-cache-schema": l3CacheSchema = "", "mem-bw-schema": memBwSchema = "" } = flags;
  return {
    resources: {
      ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
      ...(Object.keys(memory).length === 0 ? {} : { memory }),
      ...(weight === undefined || weight === 0 ? {} : { blockIO: { weight } }),
      ...(pids === undefined ? {} : { pids: { limit: pids } }),
    },
    rdt: {
      ...(l3CacheSchema === "" ? {} : { l3CacheSchema }),
      ...(memBwSchema === "" ? {} : { memBwSchema }),
    },
    warnings: ignored.map((flag) => `Setting --${flag} is ignored and will be removed`),
  };
}

/** Refuses what the machine (or this runtime) cannot allot. */
export function checkRdt(
  { rdt }: RequestedUpdate,
  has: { readonly cache: boolean; readonly bandwidth: boolean },
): void {
  if (rdt.l3CacheSchema !== undefined && !has.cache)
    throw new Failure("Intel RDT/CAT: l3 cache schema is not enabled", { hint: "leave --l3-cache-schema out" });
  if (rdt.memBwSchema !== undefined && !has.bandwidth)
    throw new Failure("Intel RDT/MBA: memory bandwidth schema is not enabled", { hint: "leave --mem-bw-schema out" });
}

function cpuOf(flags: UpdateFlags): CpuLimits {
  const shares = unsigned(flags, "cpu-share");
  const quota = signed(flags, "cpu-quota");
  const burst = unsigned(flags, "cpu-burst");
  const period = unsigned(flags, "cpu-period");
  const realtimeRuntime = signed(flags, "cpu-rt-runtime");
  const realtimePeriod = unsigned(flags, "cpu-rt-period");
  const idle = signed(flags, "cpu-idle");
  const { "cpuset-cpus": cpus = "", "cpuset-mems": mems = "" } = flags;
  return {
    ...(shares === undefined ? {} : { shares }),
    ...(quota === undefined ? {} : { quota }),
    ...(burst === undefined ? {} : { burst }),
    ...(period === undefined ? {} : { period }),
    ...(realtimeRuntime === undefined ? {} : { realtimeRuntime }),
    ...(realtimePeriod === undefined ? {} : { realtimePeriod }),
    ...(idle === undefined ? {} : { idle: Number(idle) }),
    ...(cpus === "" ? {} : { cpus }),
    ...(mems === "" ? {} : { mems }),
  };
}

function memoryOf(flags: UpdateFlags): MemoryLimits {
  const limit = bytes(flags, "memory");
  const swap = bytes(flags, "memory-swap");
  const reservation = bytes(flags, "memory-reservation");
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(swap === undefined ? {} : { swap }),
    ...(reservation === undefined ? {} : { reservation }),
  };
}

function pidsOf(flags: UpdateFlags): number | undefined {
  return plain(flags, "pids-limit");
}

/** Flags that are integers by themselves. */
function plain(flags: UpdateFlags, flag: UpdateFlag): number | undefined {
  const text = flags[flag] ?? "";
  if (text === "") return undefined;
  const number = Number(text);
  if (!/^[+-]?\d{1,19}$/.test(text) || !Number.isSafeInteger(number))
    throw new Failure(`invalid value "${text}" for flag -${flag}: parse error`, { hint: "it is a whole number" });
  return number;
}

const [I64_MIN, I64_MAX, U64_MAX] = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n];

function signed(flags: UpdateFlags, flag: UpdateFlag): Int64 | undefined {
  const text = flags[flag] ?? "";
  if (text === "") return undefined;
  const value = integer(text, flag, "strconv.ParseInt", /^[+-]?\d+$/);
  if (value < I64_MIN || value > I64_MAX) throw invalid(flag, outOfRange("strconv.ParseInt", text));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** The kernel takes none of those that are not safe as numbers. */
function unsigned(flags: UpdateFlags, flag: UpdateFlag): number | undefined {
  const text = flags[flag] ?? "";
  if (text === "") return undefined;
  const value = integer(text, flag, "strconv.ParseUint", /^\d+$/);
  if (value > U64_MAX) throw invalid(flag, outOfRange("strconv.ParseUint", text));
  return Number(value);
}

/** More digits than any number of 64 bits has. */
const DIGITS_LIMIT = 64;

function integer(text: string, flag: UpdateFlag, parser: string, form: RegExp): bigint {
  if (!form.test(text)) throw invalid(flag, `${parser}: parsing "${text}": invalid syntax`);
  if (text.length > DIGITS_LIMIT) throw invalid(flag, outOfRange(parser, text));
  return BigInt(text.replace("+", ""));
}

function outOfRange(parser: string, text: string): string {
  return `${parser}: parsing "${text}": value out of range`;
}

function invalid(flag: UpdateFlag, why: string): Failure {
  return new Failure(`invalid value for ${flag}: ${why}`);
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};
const NO_LIMIT = "-1";

/** An amount as in `512m`, `1.5GiB`, `1 kb`, or -1. */
function bytes(flags: UpdateFlags, flag: UpdateFlag): Int64 | undefined {
  const text = flags[flag] ?? "";
  if (text === "") return undefined;
  if (text === NO_LIMIT) return -1;
  // What follows the last digit (or point, or blank) is the unit.
  const end = Math.max(...[..."0123456789. "].map((character) => text.lastIndexOf(character)));
  if (end < 0) throw invalid(flag, `invalid size: '${text}'`);
  const [number, suffix] = [text.slice(0, text[end] === " " ? end : end + 1), text.slice(end + 1).toLowerCase()];
  const size = /^[+-]?(\d{1,30}\.?|\d{0,30}\.\d{1,30})$/.test(number) ? Number(number) : Number.NaN;
  if (Number.isNaN(size)) throw invalid(flag, `strconv.ParseFloat: parsing "${number}": invalid syntax`);
  if (size < 0) throw invalid(flag, `invalid size: '${text}'`);
  const unit = UNITS[suffix.replace(/(?<=^[kmgtp])i?b$/, "")];
  if (unit === undefined) throw invalid(flag, `invalid suffix: '${suffix}'`);
  const whole = Math.floor(size * unit);
  return Number.isSafeInteger(whole) ? whole : BigInt(Math.min(whole, Number(I64_MAX) - 1024));
}
