/**
 * Changing limits of a cgroup that is there: some of them mean something only together.
 */
import { Failure } from "../failure.ts";
import type { CpuLimits, Int64, MemoryLimits, Resources } from "../spec/config.ts";
import { reader } from "./stats.ts";
import { integerOf } from "./stats-numbers.ts";
import { isSet } from "./write.ts";

/**
 * An update with what must be said with it, from the limits that are in force: a period with its quota, and memory with
 * the sum of memory and swap (of which version 2 limits the difference). Memory without a limit takes that of swap away,
 * too, unless that is named. Pure.
 */
export function completeUpdate(update: Resources, current: Resources): Resources {
  return {
    ...update,
    ...(update.cpu === undefined ? {} : { cpu: completeCpu(update.cpu, current.cpu ?? {}) }),
    ...(update.memory === undefined ? {} : { memory: completeMemory(update.memory, current.memory ?? {}) }),
  };
}

function completeCpu(update: CpuLimits, current: CpuLimits): CpuLimits {
  const [hasQuota, hasPeriod] = [isSet(update.quota), isSet(update.period)];
  if (hasQuota === hasPeriod) return update;
  if (hasQuota) return isSet(current.period) ? { ...update, period: current.period } : update;
  return isSet(current.quota) ? { ...update, quota: current.quota } : update;
}

function completeMemory(update: MemoryLimits, current: MemoryLimits): MemoryLimits {
  const [hasLimit, hasSwap] = [isSet(update.limit), isSet(update.swap)];
  const checkBeforeUpdate = update.checkBeforeUpdate ?? current.checkBeforeUpdate;
  const memory = checkBeforeUpdate === undefined ? update : { ...update, checkBeforeUpdate };
  if (hasLimit === hasSwap) return memory;
  if (hasSwap) return isSet(current.limit) ? { ...memory, limit: current.limit } : memory;
  if (BigInt(update.limit ?? 0) === -1n) return { ...memory, swap: -1 };
  return isSet(current.swap) ? { ...memory, swap: current.swap } : memory;
}

/** What is in force after an update: for the record of the container. Pure. */
export function mergeResources(current: Resources, update: Resources): Resources {
  const { cpu, memory, blockIO, pids, unified } = update;
  return {
    ...current,
    ...update,
    ...(cpu === undefined ? {} : { cpu: { ...current.cpu, ...cpu } }),
    ...(memory === undefined ? {} : { memory: { ...current.memory, ...memory } }),
    ...(blockIO === undefined ? {} : { blockIO: { ...current.blockIO, ...blockIO } }),
    ...(pids === undefined ? {} : { pids: { ...current.pids, ...pids } }),
    ...(unified === undefined ? {} : { unified: { ...current.unified, ...unified } }),
  };
}

/**
 * Where `memory.checkBeforeUpdate` says so, refuses limits that are in use already: the kernel would have processes killed.
 * To be called before the update is carried out; version 1 needs it not, whose kernel refuses (EBUSY).
 */
export function refuseBelowUsage(cgroupPath: string, { memory }: Resources): void {
  if (memory?.checkBeforeUpdate !== true) return;
  const current = reader(cgroupPath)("memory", "memory.current");
  if (current !== undefined) checkUsage(memory, integerOf(current));
}

/** Pure. Throws a Failure, in runc's words. */
export function checkUsage({ limit = 0, swap = 0 }: MemoryLimits, usageBytes: Int64): void {
  const hint = "choose a larger limit, or have the container use less first";
  if (swap > 0 && swap <= usageBytes)
    throw new Failure(`rejecting memory+swap limit ${swap} <= usage ${usageBytes}`, { hint });
  if (limit > 0 && limit <= usageBytes)
    throw new Failure(`rejecting memory limit ${limit} <= usage ${usageBytes}`, { hint });
}
