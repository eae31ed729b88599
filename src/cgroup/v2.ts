/**
 * Resources of the specification as files of cgroups version 2: config-linux.md#control-groups,
 * Documentation/admin-guide/cgroup-v2.rst. The specification speaks version 1; values are converted as runc and crun do.
 */
import { Failure } from "../failure.ts";
import type { BlockIoLimits, CpuLimits, Int64, MemoryLimits, Resources } from "../spec/config.ts";
import {
  type AskedFor,
  burstDetails,
  type Conversion,
  checkMemory,
  DEFAULT_PERIOD_US,
  hugepageLimits,
  isSet,
  pidsLimit,
  rdmaLines,
  swappinessOf,
  Writes,
} from "./write.ts";

const [MIN_SHARES, MAX_SHARES] = [2, 262_144];
const [MIN_WEIGHT, MAX_WEIGHT] = [1, 10_000];
const [MIN_BLKIO_WEIGHT, MAX_BLKIO_WEIGHT] = [10, 1000];
/** A shorter decimal fraction of a weight is an error of the floating point, not a reason to round up. */
const ROUNDING = 1e-9;

/** Pure. Throws a Failure at what version 2 cannot do, where ignoring it would change what the user gets. */
export function convert(resources: Resources, askedFor: AskedFor = () => true): Conversion {
  const out = new Writes(askedFor);
  memory(out, resources.memory ?? {});
  cpu(out, resources.cpu ?? {});
  out.limit("pids", "pids.max", orMax(pidsLimit(resources)));
  blockIo(out, resources.blockIO ?? {});
  for (const { size, limit } of hugepageLimits(resources)) {
    out.add("hugetlb", `hugetlb.${size}.max`, `${orMax(limit)}`);
    out.add("hugetlb", `hugetlb.${size}.rsvd.max`, `${orMax(limit)}`, { optional: true });
  }
  for (const line of rdmaLines(resources)) out.add("rdma", "rdma.max", line);
  if (isSet(resources.network?.classID) || (resources.network?.priorities ?? []).length > 0)
    out.warnings.push("network class and priorities are ignored: cgroups version 2 have none");
  unified(out, resources.unified ?? {});
  return out;
}

/**
 * `cpu.shares` (2 to 262144, default 1024) as `cpu.weight` (1 to 10000, default 100). The curve goes through the ends
 * and through both defaults, as in runc since 1.3.2 and crun since 1.23; the straight line that was used before gave a
 * container with default shares less than half of the default weight.
 */
export function weightOfShares(shares: number): number {
  if (shares <= MIN_SHARES) return MIN_WEIGHT;
  if (shares >= MAX_SHARES) return MAX_WEIGHT;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34) - ROUNDING);
}

/** The weight of version 1 (10 to 1000) as `io.weight` (1 to 10000). */
export function weightOfBlkio(weight: number): number {
  const share = (weight - MIN_BLKIO_WEIGHT) / (MAX_BLKIO_WEIGHT - MIN_BLKIO_WEIGHT);
  return Math.floor(MIN_WEIGHT + share * (MAX_WEIGHT - MIN_WEIGHT) + ROUNDING);
}

/** Version 1 limits memory and swap together, version 2 swap alone. */
export function swapOf(limit: Int64 | undefined, sum: Int64 | undefined): Int64 | "max" | undefined {
  const [memoryLimit, memoryAndSwap] = [BigInt(limit ?? 0), BigInt(sum ?? 0)];
  if (memoryAndSwap === -1n) return "max";
  if (memoryAndSwap === 0n) return memoryLimit === -1n ? "max" : undefined;
  if (memoryLimit <= 0n)
    throw new Failure("a limit of memory and swap needs a limit of memory", { hint: "set the limit of memory too" });
  checkMemory({ limit: memoryLimit, swap: memoryAndSwap });
  return memoryAndSwap - memoryLimit;
}

function orMax<T extends Int64>(limit: T | undefined): T | "max" | undefined {
  return limit !== undefined && limit < 0 ? "max" : limit;
}

function memory(out: Writes, limits: MemoryLimits): void {
  checkMemory(limits);
  const swap = swapOf(limits.limit, limits.swap);
  // 0 is a value here: no swap at all.
  if (isSet(limits.swap) && swap !== undefined) out.addSwap("memory.swap.max", `${swap}`);
  else if (swap !== undefined) out.add("memory", "memory.swap.max", `${swap}`, { optional: true });
  out.limit("memory", "memory.max", orMax(limits.limit));
  out.limit("memory", "memory.low", orMax(limits.reservation));
  if (limits.disableOOMKiller === true)
    throw new Failure("the OOM killer cannot be disabled with cgroups version 2", { hint: "leave that setting out" });
  if (swappinessOf(limits) !== undefined)
    out.warnings.push("memory swappiness is ignored: cgroups version 2 have none");
  if (isSet(limits.kernel) || isSet(limits.kernelTCP))
    out.warnings.push("the limit of kernel memory is ignored: cgroups version 2 count it as memory");
}

function cpu(out: Writes, limits: CpuLimits): void {
  if (limits.idle !== undefined) out.add("cpu", "cpu.idle", `${limits.idle}`);
  // A weight of an idle group is refused.
  if (isSet(limits.shares) && limits.idle !== 1) out.add("cpu", "cpu.weight", `${weightOfShares(limits.shares)}`);
  if (isSet(limits.quota) || isSet(limits.period)) {
    const quota = isSet(limits.quota) ? `${orMax(limits.quota)}` : "max";
    out.add("cpu", "cpu.max", `${quota} ${isSet(limits.period) ? limits.period : DEFAULT_PERIOD_US}`);
  }
  // 0 is a value here: no burst, which is what kernels without it have.
  if (limits.burst !== undefined) out.add("cpu", "cpu.max.burst", `${limits.burst}`, burstDetails(limits.burst));
  if (isSet(limits.realtimeRuntime) || isSet(limits.realtimePeriod))
    throw new Failure("real-time shares of the CPU are not part of cgroups version 2", {
      hint: "leave 'realtimeRuntime' and 'realtimePeriod' out",
    });
  out.limit("cpuset", "cpuset.cpus", limits.cpus);
  out.limit("cpuset", "cpuset.mems", limits.mems);
}

/** BFQ has files of its own, which take weights of version 1. */
function blockIo(out: Writes, limits: BlockIoLimits): void {
  if (isSet(limits.weight)) {
    const instead = { file: "io.weight", value: `${weightOfBlkio(limits.weight)}` };
    out.add("io", "io.bfq.weight", `${limits.weight}`, { instead });
  }
  for (const { major, minor, weight } of limits.weightDevice ?? []) {
    if (!isSet(weight)) continue;
    const instead = { file: "io.weight", value: `${major}:${minor} ${weightOfBlkio(weight)}` };
    out.add("io", "io.bfq.weight", `${major}:${minor} ${weight}`, { instead });
  }
  if (isSet(limits.leafWeight))
    out.warnings.push("the leaf weight of block I/O is ignored: cgroups version 2 have none");
  const rates = [
    ["rbps", limits.throttleReadBpsDevice],
    ["wbps", limits.throttleWriteBpsDevice],
    ["riops", limits.throttleReadIOPSDevice],
    ["wiops", limits.throttleWriteIOPSDevice],
  ] as const;
  for (const [key, devices] of rates)
    for (const { major, minor, rate } of devices ?? []) {
      out.add("io", "io.max", `${major}:${minor} ${key}=${isSet(rate) ? orMax(rate) : "max"}`);
    }
}

/** What is said in version 2's own words goes last, and wins. A value of several lines is several requests. */
function unified(out: Writes, files: Record<string, string>): void {
  for (const [file, text] of Object.entries(files)) {
    const [controller = "", rest] = file.split(".", 2);
    if (controller === "" || rest === undefined || file.includes("/") || file.includes("\0"))
      throw new Failure(`'resources.unified': '${file}' is not the name of a file of a cgroup`, {
        hint: "names are as in memory.high",
      });
    for (const line of text.split("\n")) if (line !== "") out.add(controller, file, line);
  }
}
