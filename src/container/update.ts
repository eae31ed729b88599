/**
 * `update`: other limits for a container that is there, now and at its next starts.
 */
import { updateCgroup } from "../cgroup/apply.ts";
import { detectLayout } from "../cgroup/layout.ts";
import { planUpdate } from "../cgroup/plan.ts";
import { mergeResources } from "../cgroup/update.ts";
import { exists, readText, replaceFile } from "../linux/hostpath.ts";
import type { Resources, Spec } from "../spec/config.ts";
import { stringifyExact } from "../spec/json.ts";
import { parseConfig } from "../spec/parse-config.ts";
import { readSaved } from "./again.ts";
import { composeResources } from "./compose-resources.ts";
import { currentState } from "./control.ts";
import type { Emit } from "./events.ts";
import { BUILT_IN_DEFAULTS, type LimitOptions } from "./options.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { lockNames } from "./rename.ts";
import { savedText } from "./saved-text.ts";

const positive = (value: number | bigint | undefined): number => Math.max(0, Number(value ?? 0));

/** The limits that are in force, as options: 0 is none. Pure. */
export function limitsInForce({ memory = {}, cpu = {}, pids = {}, blockIO = {} }: Resources): LimitOptions {
  const limit = positive(memory.limit);
  const swap = Number(memory.swap ?? 0);
  const quota = positive(cpu.quota);
  return {
    memoryBytes: limit,
    // Twice the memory is what is taken where nothing was asked for: it goes with the memory.
    ...(swap === 0 || swap === 2 * limit ? {} : { memorySwapBytes: swap }),
    memoryReservationBytes: positive(memory.reservation),
    ...(quota === 0 ? { cpus: 0 } : { cpuQuotaMicros: quota }),
    ...(cpu.period === undefined ? {} : { cpuPeriodMicros: Number(cpu.period) }),
    cpuShares: positive(cpu.shares),
    pids: positive(pids.limit),
    blkioWeight: positive(blockIO.weight),
  };
}

/** Limits with changes; one way to limit the CPU time takes the other's place. Pure. */
export function mergeLimits(limits: LimitOptions, change: LimitOptions): LimitOptions {
  const { cpus: _cpus, ...withoutCpus } = limits;
  const { cpuQuotaMicros: _quota, ...withoutQuota } = limits;
  if (change.cpus !== undefined) return { ...withoutQuota, ...change };
  if (change.cpuQuotaMicros !== undefined) return { ...withoutCpus, ...change };
  return { ...limits, ...change };
}

/** What a change of limits is for the kernel. Throws a Failure if the limits contradict each other then. Pure. */
export function resourcesOfChange(current: Resources, change: LimitOptions): Resources {
  const has = (...names: readonly (keyof LimitOptions)[]) => names.some((name) => change[name] !== undefined);
  const limits = mergeLimits(limitsInForce(current), change);
  const { memory = {}, cpu = {}, pids = {}, blockIO } = composeResources({ limits }, BUILT_IN_DEFAULTS);
  return {
    ...(has("memoryBytes", "memorySwapBytes", "memoryReservationBytes")
      ? {
          memory: {
            ...(has("memoryBytes", "memorySwapBytes") ? { limit: memory.limit ?? -1, swap: memory.swap ?? -1 } : {}),
            ...(has("memoryReservationBytes") ? { reservation: memory.reservation ?? -1 } : {}),
          },
        }
      : {}),
    ...(has("cpus", "cpuQuotaMicros", "cpuPeriodMicros", "cpuShares", "cpusetCpus", "cpusetMems")
      ? {
          cpu: {
            ...(has("cpus", "cpuQuotaMicros", "cpuPeriodMicros")
              ? { quota: cpu.quota ?? -1, ...(cpu.period === undefined ? {} : { period: cpu.period }) }
              : {}),
            ...(has("cpuShares") ? { shares: cpu.shares ?? 1024 } : {}),
            ...(cpu.cpus === undefined ? {} : { cpus: cpu.cpus }),
            ...(cpu.mems === undefined ? {} : { mems: cpu.mems }),
          },
        }
      : {}),
    ...(has("pids") ? { pids: { limit: pids.limit ?? -1 } } : {}),
    ...(has("blkioWeight") && blockIO !== undefined ? { blockIO } : {}),
  };
}

/** Changes limits of a container: of what runs at once, and what is kept of it for the next start. */
export function updateContainer(root: StateRoot, id: string, change: LimitOptions, emit: Emit): void {
  using _changes = lockNames(root);
  const state = currentState(root, id);
  const paths = containerPaths(root, id);
  const spec = parseConfig(readText(paths.config));
  const current = spec.linux?.resources ?? {};
  const update = resourcesOfChange(current, change);
  if (state.status === "running") {
    const plan = planUpdate(detectLayout(), state.cgroupPath, update, current);
    for (const text of [...plan.warnings, ...updateCgroup(plan)]) emit({ kind: "warning", text });
  }
  const after: Spec = { ...spec, linux: { ...spec.linux, resources: mergeResources(current, update) } };
  replaceFile(paths.config, stringifyExact(after), { durable: false });
  if (!exists(paths.options)) return;
  const saved = readSaved(root, state);
  const limits = mergeLimits(saved.options.limits, change);
  replaceFile(paths.options, savedText({ ...saved, options: { ...saved.options, limits } }), { durable: false });
}
