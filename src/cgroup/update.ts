/**
 * Changing limits of a cgroup that is there: some of them mean something only together.
 */
import type { CpuLimits, MemoryLimits, Resources } from "../spec/config.ts";
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

/** What is in force after an update, which need not be complete: for the record of the container. Pure. */
export function mergeResources(current: Resources, update: Resources): Resources {
  const complete = completeUpdate(update, current);
  const { cpu, memory, blockIO, pids, unified } = complete;
  return {
    ...current,
    ...complete,
    ...(cpu === undefined ? {} : { cpu: { ...current.cpu, ...cpu } }),
    ...(memory === undefined ? {} : { memory: { ...current.memory, ...memory } }),
    ...(blockIO === undefined ? {} : { blockIO: { ...current.blockIO, ...blockIO } }),
    ...(pids === undefined ? {} : { pids: { ...current.pids, ...pids } }),
    ...(unified === undefined ? {} : { unified: { ...current.unified, ...unified } }),
  };
}
