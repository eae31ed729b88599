/**
 * All that a cgroup tells about what it uses: for programs, and for people who look closely. `stats.ts` reads less, often.
 */
import { detectLayout } from "./layout.ts";
import { type CgroupStats, oomKills, reader, readStats } from "./stats.ts";

export interface CgroupStatsDetails extends CgroupStats {
  readonly cpuUserNs: number;
  readonly cpuSystemNs: number;
  /** How often, and for how long, processes stood still because the quota of a period was used up. */
  readonly throttledPeriods: number;
  readonly throttledNs: number;
  readonly anonBytes: number;
  readonly fileBytes: number;
  /** Undefined where the kernel does not count swap. */
  readonly swapBytes: number | undefined;
  /** Of the cgroup and those nested in it. */
  readonly oomKills: number;
  /** Of version 2 alone, and kernels with CONFIG_PSI. */
  readonly pressure: Readonly<Partial<Record<"cpu" | "memory" | "io", Pressure>>>;
}

/** Documentation/accounting/psi.rst: some, or all, processes waited. */
export interface Pressure {
  readonly some?: Stall;
  readonly full?: Stall;
}

/** Percents of the last 10, 60 and 300 seconds, and microseconds in all. */
export interface Stall {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalUs: number;
}

/** Undefined if there is no cgroup at `path`. */
export function readStatsDetails(path: string): CgroupStatsDetails | undefined {
  const stats = readStats(path);
  if (stats === undefined) return undefined;
  const text = reader(path);
  const rest = detectLayout().kind === "v2" ? detailsV2(text) : detailsV1(text);
  return { ...stats, ...rest, oomKills: oomKills(path) };
}

type Details = Omit<CgroupStatsDetails, keyof CgroupStats | "oomKills">;
type Reader = (controller: string, file: string) => string | undefined;

/** Pure, but for `text`. */
export function detailsV2(text: Reader): Details {
  const cpu = numbersOf(text("cpu", "cpu.stat"));
  const memory = numbersOf(text("memory", "memory.stat"));
  const swap = text("memory", "memory.swap.current");
  const pressure: { -readonly [Name in keyof Details["pressure"]]: Pressure } = {};
  for (const name of ["cpu", "memory", "io"] as const) {
    const found = parsePressure(text(name, `${name}.pressure`) ?? "");
    if (found !== undefined) pressure[name] = found;
  }
  return {
    cpuUserNs: (cpu.get("user_usec") ?? 0) * 1000,
    cpuSystemNs: (cpu.get("system_usec") ?? 0) * 1000,
    throttledPeriods: cpu.get("nr_throttled") ?? 0,
    throttledNs: (cpu.get("throttled_usec") ?? 0) * 1000,
    anonBytes: memory.get("anon") ?? 0,
    fileBytes: memory.get("file") ?? 0,
    swapBytes: swap === undefined ? undefined : Number(swap),
    pressure,
  };
}

/** Pure, but for `text`. */
export function detailsV1(text: Reader): Details {
  const cpu = numbersOf(text("cpu", "cpu.stat"));
  const memory = numbersOf(text("memory", "memory.stat"));
  return {
    cpuUserNs: Number(text("cpuacct", "cpuacct.usage_user") ?? 0),
    cpuSystemNs: Number(text("cpuacct", "cpuacct.usage_sys") ?? 0),
    throttledPeriods: cpu.get("nr_throttled") ?? 0,
    throttledNs: cpu.get("throttled_time") ?? 0,
    anonBytes: memory.get("total_rss") ?? 0,
    fileBytes: memory.get("total_cache") ?? 0,
    swapBytes: memory.get("total_swap"),
    pressure: {},
  };
}

/** The numbers of `key value` lines. */
function numbersOf(text: string | undefined): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const line of (text ?? "").split("\n")) {
    const [key = "", value] = line.split(" ");
    if (value !== undefined) numbers.set(key, Number(value));
  }
  return numbers;
}

/** Lines as in `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`; undefined if there is none. Pure. */
export function parsePressure(text: string): Pressure | undefined {
  const pressure: { -readonly [Name in keyof Pressure]: Stall } = {};
  for (const line of text.split("\n")) {
    const [kind, ...words] = line.split(" ");
    if (kind !== "some" && kind !== "full") continue;
    const values = new Map(words.map((word) => [word.split("=")[0], Number(word.split("=")[1])] as const));
    const value = (key: string) => values.get(key) ?? 0;
    pressure[kind] = {
      avg10: value("avg10"),
      avg60: value("avg60"),
      avg300: value("avg300"),
      totalUs: value("total"),
    };
  }
  return pressure.some === undefined && pressure.full === undefined ? undefined : pressure;
}
