/**
 * Everything that a cgroup counts, in the terms of version 1: what `events` of an OCI runtime reports. `stats.ts` reads
 * less, often; `stats-details.ts` is for people.
 */
import { listDirectory } from "../linux/hostpath.ts";
import type { Int64 } from "../spec/config.ts";
import { detectLayout } from "./layout.ts";
import { checkCgroupPath } from "./path.ts";
import { reader } from "./stats.ts";
import { type Pressure, parsePressure } from "./stats-details.ts";
import {
  type BlockIoEntry,
  blockIoTable,
  exact,
  integerOf,
  integersByKey,
  integersOf,
  ioStatTable,
  membersOfSet,
  UNLIMITED,
} from "./stats-numbers.ts";

/** Bytes. */
export interface Amount {
  readonly limit: Int64;
  readonly usage: Int64;
  readonly max: Int64;
  /** How often the limit was in the way. */
  readonly failures: Int64;
}

export const BLOCK_IO_TABLES = [
  "serviceBytes",
  "serviced",
  "queued",
  "serviceTime",
  "waitTime",
  "merged",
  "time",
  "sectors",
] as const;
export type BlockIoTable = (typeof BLOCK_IO_TABLES)[number];

export interface FullStats {
  readonly cpu: {
    readonly totalNs: Int64;
    readonly kernelNs: Int64;
    readonly userNs: Int64;
    /** Version 1 alone counts by CPU. */
    readonly perCpuNs: readonly Int64[];
    readonly perCpuKernelNs: readonly Int64[];
    readonly perCpuUserNs: readonly Int64[];
    readonly periods: Int64;
    readonly throttledPeriods: Int64;
    readonly throttledNs: Int64;
    readonly pressure: Pressure | undefined;
  };
  readonly cpuset: {
    readonly cpus: readonly number[];
    readonly mems: readonly number[];
    /** Of version 1, by the names of its files: `cpu_exclusive` and so on. */
    readonly flags: ReadonlyMap<string, Int64>;
  };
  readonly memory: {
    readonly cache: Int64;
    readonly usage: Amount;
    /** Memory and swap together. */
    readonly swap: Amount;
    readonly kernel: Amount;
    readonly kernelTcp: Amount;
    /** `memory.stat`. */
    readonly raw: ReadonlyMap<string, Int64>;
    readonly pressure: Pressure | undefined;
  };
  /** A limit of 0 is none. */
  readonly pids: { readonly current: Int64; readonly limit: Int64 };
  readonly blockIo: {
    readonly tables: Readonly<Partial<Record<BlockIoTable, readonly BlockIoEntry[]>>>;
    readonly pressure: Pressure | undefined;
  };
  /** By size, as in `2MB`. */
  readonly hugepages: ReadonlyMap<string, Omit<Amount, "limit">>;
}

export type Reader = (controller: string, file: string) => string | undefined;

const NOTHING: Amount = { limit: 0, usage: 0, max: 0, failures: 0 };

/** What the cgroup at `path` counts; 0 and nothing for what the host does not count. */
export function readFullStats(path: string): FullStats {
  const text = reader(checkCgroupPath(path));
  const sizes = hugepageSizes(listDirectory("/sys/kernel/mm/hugepages").map(({ name }) => name));
  return detectLayout().kind === "v2" ? fullV2(text, sizes) : fullV1(text, sizes);
}

const SIZE_UNITS = ["KB", "MB", "GB"] as const;

/** As cgroups name them: `hugepages-2048kB` -> `2MB`. Pure. */
export function hugepageSizes(names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const match = /^hugepages-(\d{1,12})kB$/.exec(name);
    if (match === null) return [];
    let [size, unit] = [Number(match[1]), 0];
    while (size >= 1024 && unit < SIZE_UNITS.length - 1) [size, unit] = [size / 1024, unit + 1];
    return [`${size}${SIZE_UNITS[unit]}`];
  });
}

/** Files of version 1 that are numbers: Documentation/admin-guide/cgroup-v1/cpusets.rst. */
const CPUSET_FLAGS = [
  "cpu_exclusive",
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
  "sched_relax_domain_level",
] as const;

/** Names of version 1. BFQ counts more than throttling does, but only where it is the scheduler. */
const BLOCK_IO_FILES: Readonly<Record<BlockIoTable, readonly string[]>> = {
  serviceBytes: ["bfq.io_service_bytes_recursive", "throttle.io_service_bytes_recursive"],
  serviced: ["bfq.io_serviced_recursive", "throttle.io_serviced_recursive"],
  queued: ["bfq.io_queued_recursive"],
  serviceTime: ["bfq.io_service_time_recursive"],
  waitTime: ["bfq.io_wait_time_recursive"],
  merged: ["bfq.io_merged_recursive"],
  time: ["bfq.time_recursive"],
  sectors: ["bfq.sectors_recursive"],
};

/** Pure, but for `text`. */
export function fullV1(text: Reader, pageSizes: readonly string[]): FullStats {
  const throttling = integersByKey(text("cpu", "cpu.stat"));
  const raw = integersByKey(text("memory", "memory.stat"));
  const amount = (infix: string): Amount => ({
    limit: integerOf(text("memory", `memory.${infix}limit_in_bytes`)),
    usage: integerOf(text("memory", `memory.${infix}usage_in_bytes`)),
    max: integerOf(text("memory", `memory.${infix}max_usage_in_bytes`)),
    failures: integerOf(text("memory", `memory.${infix}failcnt`)),
  });
  const tables: { -readonly [Name in BlockIoTable]?: BlockIoEntry[] } = {};
  for (const name of BLOCK_IO_TABLES) {
    const found = BLOCK_IO_FILES[name].map((file) => blockIoTable(text("blkio", `blkio.${file}`)));
    tables[name] = found.find((table) => table.length > 0) ?? [];
  }
  return {
    cpu: {
      totalNs: integerOf(text("cpuacct", "cpuacct.usage")),
      kernelNs: integerOf(text("cpuacct", "cpuacct.usage_sys")),
      userNs: integerOf(text("cpuacct", "cpuacct.usage_user")),
      perCpuNs: integersOf(text("cpuacct", "cpuacct.usage_percpu")),
      perCpuKernelNs: integersOf(text("cpuacct", "cpuacct.usage_percpu_sys")),
      perCpuUserNs: integersOf(text("cpuacct", "cpuacct.usage_percpu_user")),
      periods: throttling.get("nr_periods") ?? 0,
      throttledPeriods: throttling.get("nr_throttled") ?? 0,
      throttledNs: throttling.get("throttled_time") ?? 0,
      pressure: undefined,
    },
    cpuset: {
      cpus: membersOfSet(text("cpuset", "cpuset.cpus")),
      mems: membersOfSet(text("cpuset", "cpuset.mems")),
      flags: new Map(CPUSET_FLAGS.map((name) => [name, integerOf(text("cpuset", `cpuset.${name}`))])),
    },
    memory: {
      cache: raw.get("cache") ?? 0,
      usage: amount(""),
      swap: amount("memsw."),
      kernel: amount("kmem."),
      kernelTcp: amount("kmem.tcp."),
      raw,
      pressure: undefined,
    },
    pids: pidsOf(text),
    blockIo: { tables, pressure: undefined },
    hugepages: hugepagesOf(pageSizes, (size) => {
      const usage = text("hugetlb", `hugetlb.${size}.usage_in_bytes`);
      if (usage === undefined) return undefined;
      return {
        usage: integerOf(usage),
        max: integerOf(text("hugetlb", `hugetlb.${size}.max_usage_in_bytes`)),
        failures: integerOf(text("hugetlb", `hugetlb.${size}.failcnt`)),
      };
    }),
  };
}

/** Pure, but for `text`. */
export function fullV2(text: Reader, pageSizes: readonly string[]): FullStats {
  const cpu = integersByKey(text("cpu", "cpu.stat"));
  const raw = integersByKey(text("memory", "memory.stat"));
  const nanoseconds = (key: string) => exact(BigInt(cpu.get(key) ?? 0) * 1000n);
  const io = text("io", "io.stat");
  const pressure = (name: string) => parsePressure(text(name, `${name}.pressure`) ?? "");
  const usage: Amount = {
    limit: integerOf(text("memory", "memory.max")),
    usage: integerOf(text("memory", "memory.current")),
    max: integerOf(text("memory", "memory.peak")),
    failures: integersByKey(text("memory", "memory.events")).get("max") ?? 0,
  };
  return {
    cpu: {
      totalNs: nanoseconds("usage_usec"),
      kernelNs: nanoseconds("system_usec"),
      userNs: nanoseconds("user_usec"),
      perCpuNs: [],
      perCpuKernelNs: [],
      perCpuUserNs: [],
      periods: cpu.get("nr_periods") ?? 0,
      throttledPeriods: cpu.get("nr_throttled") ?? 0,
      throttledNs: nanoseconds("throttled_usec"),
      pressure: pressure("cpu"),
    },
    cpuset: {
      cpus: membersOfSet(text("cpuset", "cpuset.cpus.effective")),
      mems: membersOfSet(text("cpuset", "cpuset.mems.effective")),
      flags: new Map(),
    },
    memory: {
      cache: raw.get("file") ?? 0,
      usage,
      swap: swapWithMemory(text, usage),
      kernel: NOTHING,
      kernelTcp: NOTHING,
      raw,
      pressure: pressure("memory"),
    },
    pids: pidsOf(text),
    blockIo: {
      tables: {
        serviceBytes: ioStatTable(io, { rbytes: "Read", wbytes: "Write" }),
        serviced: ioStatTable(io, { rios: "Read", wios: "Write" }),
      },
      pressure: pressure("io"),
    },
    hugepages: hugepagesOf(pageSizes, (size) => {
      const current = text("hugetlb", `hugetlb.${size}.current`);
      if (current === undefined) return undefined;
      const events = integersByKey(text("hugetlb", `hugetlb.${size}.events`));
      return { usage: integerOf(current), max: 0, failures: events.get("max") ?? 0 };
    }),
  };
}

/** Version 2 counts swap alone. */
function swapWithMemory(text: Reader, memory: Amount): Amount {
  const current = text("memory", "memory.swap.current");
  if (current === undefined) return { ...NOTHING, usage: memory.usage };
  const limit = integerOf(text("memory", "memory.swap.max"));
  const isUnlimited = limit === UNLIMITED || memory.limit === UNLIMITED;
  return {
    limit: isUnlimited ? UNLIMITED : exact(BigInt(limit) + BigInt(memory.limit)),
    usage: exact(BigInt(integerOf(current)) + BigInt(memory.usage)),
    max: 0,
    failures: integersByKey(text("memory", "memory.swap.events")).get("max") ?? 0,
  };
}

function pidsOf(text: Reader): FullStats["pids"] {
  const limit = integerOf(text("pids", "pids.max"));
  return { current: integerOf(text("pids", "pids.current")), limit: limit === UNLIMITED ? 0 : limit };
}

function hugepagesOf(
  sizes: readonly string[],
  amountOf: (size: string) => Omit<Amount, "limit"> | undefined,
): FullStats["hugepages"] {
  const found = new Map<string, Omit<Amount, "limit">>();
  for (const size of sizes) {
    const amount = amountOf(size);
    if (amount !== undefined) found.set(size, amount);
  }
  return found;
}
