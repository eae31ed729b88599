/**
 * Resources of the specification as files of cgroups version 1: config-linux.md#control-groups,
 * Documentation/admin-guide/cgroup-v1/.
 */
import { Failure } from "../failure.ts";
import type { BlockIoLimits, CpuLimits, DeviceRate, DeviceRule, MemoryLimits, Resources } from "../spec/config.ts";
import { deviceRules, formatRule } from "./devices.ts";
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

/** Pure. In the order in which the kernel takes them. Throws a Failure at what version 1 cannot do. */
export function convert(resources: Resources, askedFor: AskedFor = () => true): Conversion {
  const out = new Writes(askedFor);
  if (Object.keys(resources.unified ?? {}).length > 0)
    throw new Failure(
      "invalid configuration: 'resources.unified' needs cgroups version 2, and this host has version 1",
      {
        hint: "use the limits of 'memory', 'cpu', 'pids' and 'blockIO' in its place",
      },
    );
  memory(out, resources.memory ?? {});
  cpu(out, resources.cpu ?? {});
  out.limit("pids", "pids.max", unlimited(pidsLimit(resources)));
  blockIo(out, resources.blockIO ?? {});
  for (const { size, limit } of hugepageLimits(resources)) {
    out.add("hugetlb", `hugetlb.${size}.limit_in_bytes`, `${limit}`);
    out.add("hugetlb", `hugetlb.${size}.rsvd.limit_in_bytes`, `${limit}`, { optional: true });
  }
  for (const line of rdmaLines(resources)) out.add("rdma", "rdma.max", line);
  out.limit("net_cls", "net_cls.classid", resources.network?.classID);
  for (const { name, priority } of resources.network?.priorities ?? [])
    out.add("net_prio", "net_prio.ifpriomap", `${name} ${priority}`);
  return out;
}

/** The rules of devices: nothing, then what is allowed. Pure. */
export function convertDevices(rules: readonly DeviceRule[], asked: boolean): Conversion["writes"] {
  const all = deviceRules(rules);
  const write = (file: string, value: string) => ({ controller: "devices", file, value, asked });
  // A new cgroup has the rules of the one above it: that is all that it may have.
  if (all === "everything") return [{ ...write("devices.allow", "a"), initial: true, optional: true }];
  return [
    write("devices.deny", "a"),
    ...all.map((rule) => write(rule.allow ? "devices.allow" : "devices.deny", formatRule(rule))),
  ];
}

function unlimited<T extends number | bigint>(limit: T | undefined): T | "max" | undefined {
  return limit !== undefined && limit < 0 ? "max" : limit;
}

function memory(out: Writes, limits: MemoryLimits): void {
  checkMemory(limits);
  // The sum of memory and swap cannot be below memory: the larger one goes last.
  out.limit("memory", "memory.limit_in_bytes", limits.limit);
  const noLimit = limits.limit !== undefined && BigInt(limits.limit) === -1n;
  if (isSet(limits.swap)) out.addSwap("memory.memsw.limit_in_bytes", `${limits.swap}`);
  else if (noLimit) out.add("memory", "memory.memsw.limit_in_bytes", "-1", { optional: true });
  out.limit("memory", "memory.soft_limit_in_bytes", limits.reservation);
  out.limit("memory", "memory.kmem.tcp.limit_in_bytes", limits.kernelTCP);
  // 0 is a value here: no swapping as long as there is another way.
  const swappiness = swappinessOf(limits);
  if (swappiness !== undefined) out.add("memory", "memory.swappiness", `${swappiness}`);
  if (limits.disableOOMKiller === true) out.add("memory", "memory.oom_control", "1");
  if (isSet(limits.kernel)) out.warnings.push("the limit of kernel memory is ignored: kernels no longer have one");
}

function cpu(out: Writes, limits: CpuLimits): void {
  out.limit("cpu", "cpu.shares", limits.shares);
  // The quota is checked against the period: the period goes first. A burst is at most the quota.
  if (isSet(limits.period))
    out.add(
      "cpu",
      "cpu.cfs_period_us",
      `${limits.period}`,
      limits.period === DEFAULT_PERIOD_US ? { initial: true } : {},
    );
  out.limit("cpu", "cpu.cfs_quota_us", limits.quota);
  // 0 is a value here: no burst, which is what kernels without it have.
  if (limits.burst !== undefined) out.add("cpu", "cpu.cfs_burst_us", `${limits.burst}`, burstDetails(limits.burst));
  out.limit("cpu", "cpu.rt_period_us", limits.realtimePeriod);
  out.limit("cpu", "cpu.rt_runtime_us", limits.realtimeRuntime);
  if (limits.idle !== undefined) out.add("cpu", "cpu.idle", `${limits.idle}`);
  out.limit("cpuset", "cpuset.cpus", limits.cpus);
  out.limit("cpuset", "cpuset.mems", limits.mems);
}

/** Weights are BFQ's: no other scheduler of kernels since 5.0 has them. */
function blockIo(out: Writes, limits: BlockIoLimits): void {
  out.limit("blkio", "blkio.bfq.weight", limits.weight);
  for (const { major, minor, weight } of limits.weightDevice ?? [])
    if (isSet(weight)) out.add("blkio", "blkio.bfq.weight_device", `${major}:${minor} ${weight}`);
  if (isSet(limits.leafWeight) || (limits.weightDevice ?? []).some(({ leafWeight }) => isSet(leafWeight)))
    out.warnings.push("the leaf weight of block I/O is ignored: kernels since 5.0 have none");
  const rates: [file: string, devices: DeviceRate[] | undefined][] = [
    ["blkio.throttle.read_bps_device", limits.throttleReadBpsDevice],
    ["blkio.throttle.write_bps_device", limits.throttleWriteBpsDevice],
    ["blkio.throttle.read_iops_device", limits.throttleReadIOPSDevice],
    ["blkio.throttle.write_iops_device", limits.throttleWriteIOPSDevice],
  ];
  for (const [file, devices] of rates)
    for (const { major, minor, rate } of devices ?? []) out.add("blkio", file, `${major}:${minor} ${rate}`);
}
