/**
 * Limits that are in use already.
 */
import { Failure } from "../failure.ts";
import type { Int64, MemoryLimits, Resources } from "../spec/config.ts";
import { reader } from "./stats.ts";
import { integerOf } from "./stats-numbers.ts";

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
