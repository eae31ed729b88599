/**
 * What `events` prints: runc's JSON, which containerd and others read. As there, most fields whose value is 0 are left out.
 */

import type { Pressure, Stall } from "../cgroup/stats-details.ts";
import { type Amount, BLOCK_IO_TABLES, type BlockIoTable, type FullStats } from "../cgroup/stats-full.ts";
import type { InterfaceCounters } from "../network/counters.ts";
import type { Int64 } from "../spec/config.ts";

/** An event as it is printed, one a line, by `stringifyExact` (spec/json.ts). */
export interface Event {
  readonly type: "stats" | "oom";
  readonly id: string;
  readonly data?: unknown;
}

export function oomEvent(id: string): Event {
  return { type: "oom", id };
}

/** Pure. */
export function statsEvent(id: string, stats: FullStats, interfaces: readonly InterfaceCounters[]): Event {
  const { cpu, cpuset, memory, pids, blockIo, hugepages } = stats;
  const data = {
    cpu: {
      usage: {
        ...nonzero({ total: cpu.totalNs }),
        ...filled({ percpu: cpu.perCpuNs, percpu_kernel: cpu.perCpuKernelNs, percpu_user: cpu.perCpuUserNs }),
        kernel: cpu.kernelNs,
        user: cpu.userNs,
      },
      throttling: nonzero({
        periods: cpu.periods,
        throttledPeriods: cpu.throttledPeriods,
        throttledTime: cpu.throttledNs,
      }),
      ...psi(cpu.pressure),
    },
    cpuset: cpusetData(cpuset),
    memory: {
      ...nonzero({ cache: memory.cache }),
      usage: amountData(memory.usage),
      swap: amountData(memory.swap),
      kernel: amountData(memory.kernel),
      kernelTCP: amountData(memory.kernelTcp),
      ...(memory.raw.size === 0 ? {} : { raw: sorted(memory.raw) }),
      ...psi(memory.pressure),
    },
    pids: nonzero({ current: pids.current, limit: pids.limit }),
    blkio: { ...blockIoData(blockIo.tables), ...psi(blockIo.pressure) },
    hugetlb: sorted(
      new Map(
        [...hugepages].map(([size, { usage, max, failures }]) => [
          size,
          { ...nonzero({ usage, max }), failcnt: failures },
        ]),
      ),
    ),
    intel_rdt: {},
    network_interfaces: interfaces.length === 0 ? null : interfaces.map(interfaceData),
  };
  return { type: "stats", id, data };
}

/** Leaves out what is 0. */
function nonzero(numbers: Readonly<Record<string, Int64>>): Record<string, Int64> {
  return Object.fromEntries(Object.entries(numbers).filter(([, value]) => BigInt(value) !== 0n));
}

/** Leaves out what is empty. */
function filled<T>(lists: Readonly<Record<string, readonly T[]>>): Record<string, readonly T[]> {
  return Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));
}

function sorted<T>(map: ReadonlyMap<string, T>): Record<string, T> {
  return Object.fromEntries([...map].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function amountData({ limit, usage, max, failures }: Amount): Record<string, Int64> {
  return { limit, ...nonzero({ usage, max }), failcnt: failures };
}

function cpusetData({ cpus, mems, flags }: FullStats["cpuset"]): Record<string, unknown> {
  const flag = (name: string): Int64 => flags.get(name) ?? 0;
  return {
    ...filled({ cpus }),
    cpu_exclusive: flag("cpu_exclusive"),
    ...filled({ mems }),
    mem_hardwall: flag("mem_hardwall"),
    mem_exclusive: flag("mem_exclusive"),
    memory_migrate: flag("memory_migrate"),
    memory_spread_page: flag("memory_spread_page"),
    memory_spread_slab: flag("memory_spread_slab"),
    memory_pressure: flag("memory_pressure"),
    sched_load_balance: flag("sched_load_balance"),
    sched_relax_domain_level: flag("sched_relax_domain_level"),
  };
}

const BLOCK_IO_NAMES: Readonly<Record<BlockIoTable, string>> = {
  serviceBytes: "ioServiceBytesRecursive",
  serviced: "ioServicedRecursive",
  queued: "ioQueueRecursive",
  serviceTime: "ioServiceTimeRecursive",
  waitTime: "ioWaitTimeRecursive",
  merged: "ioMergedRecursive",
  time: "ioTimeRecursive",
  sectors: "sectorsRecursive",
};

function blockIoData(tables: FullStats["blockIo"]["tables"]): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const name of BLOCK_IO_TABLES) {
    const table = tables[name] ?? [];
    if (table.length === 0) continue;
    data[BLOCK_IO_NAMES[name]] = table.map(({ major, minor, operation, value }) => ({
      ...nonzero({ major, minor }),
      ...(operation === "" ? {} : { op: operation }),
      ...nonzero({ value }),
    }));
  }
  return data;
}

/** Zero is kept: that nobody waits is what one wants to know. */
function psi(pressure: Pressure | undefined): { psi?: Record<string, unknown> } {
  if (pressure === undefined) return {};
  const stall = ({ avg10, avg60, avg300, totalUs }: Stall) => ({ avg10, avg60, avg300, total: totalUs });
  return {
    psi: {
      ...(pressure.some === undefined ? {} : { some: stall(pressure.some) }),
      ...(pressure.full === undefined ? {} : { full: stall(pressure.full) }),
    },
  };
}

function interfaceData(counters: InterfaceCounters): Record<string, unknown> {
  return {
    Name: counters.name,
    RxBytes: counters.rxBytes,
    RxPackets: counters.rxPackets,
    RxErrors: counters.rxErrors,
    RxDropped: counters.rxDropped,
    TxBytes: counters.txBytes,
    TxPackets: counters.txPackets,
    TxErrors: counters.txErrors,
    TxDropped: counters.txDropped,
  };
}
