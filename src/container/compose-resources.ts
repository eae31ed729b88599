/**
 * Limits: what was asked for, else the defaults. 0 is none.
 */
import { Failure } from "../failure.ts";
import type { Resources } from "../spec/config.ts";
import type { Defaults, RunOptions } from "./options.ts";

const DEFAULT_PERIOD_MICROS = 100_000;

/** The memory limit in bytes, or undefined for none. */
export function memoryLimitBytes(options: Pick<RunOptions, "limits">, defaults: Defaults): number | undefined {
  const bytes = options.limits.memoryBytes ?? defaults.memoryBytes;
  return bytes === 0 ? undefined : bytes;
}

export function composeResources(options: Pick<RunOptions, "limits">, defaults: Defaults): Resources {
  const { limits } = options;
  const memory = memoryLimitBytes(options, defaults);
  const reservation = limits.memoryReservationBytes || undefined;
  if (memory !== undefined && reservation !== undefined && reservation > memory) {
    throw new Failure(`the memory reservation (${reservation} bytes) is above the memory limit (${memory} bytes)`, {
      hint: "raise --memory, or lower --memory-reservation",
    });
  }
  const pids = limits.pids ?? defaults.pids;
  const cpus = limits.cpus ?? (limits.cpuQuotaMicros === undefined ? defaults.cpus : 0);
  const period = limits.cpuPeriodMicros ?? DEFAULT_PERIOD_MICROS;
  const quota = limits.cpuQuotaMicros ?? (cpus > 0 ? Math.round(cpus * period) : undefined);
  const swap = swapBytes(options, memory);
  return {
    memory: {
      ...(memory === undefined ? {} : { limit: memory }),
      ...(swap === undefined ? {} : { swap }),
      ...(reservation === undefined ? {} : { reservation }),
      ...(limits.memorySwappiness === undefined ? {} : { swappiness: limits.memorySwappiness }),
      ...(limits.oomKillDisable === true ? { disableOOMKiller: true } : {}),
    },
    cpu: {
      ...(quota === undefined ? {} : { quota, period }),
      ...(limits.cpuShares === undefined || limits.cpuShares === 0 ? {} : { shares: limits.cpuShares }),
      ...(limits.cpusetCpus === undefined ? {} : { cpus: limits.cpusetCpus }),
      ...(limits.cpusetMems === undefined ? {} : { mems: limits.cpusetMems }),
    },
    pids: pids > 0 ? { limit: pids } : {},
    ...(limits.blkioWeight === undefined || limits.blkioWeight === 0
      ? {}
      : { blockIO: { weight: limits.blkioWeight } }),
  };
}

/**
 * Memory and swap together; -1 is no limit of swap, undefined that nothing is limited. docker's rules: as much swap again as
 * memory, where only memory is limited, and 0 is as if nothing had been asked for.
 */
function swapBytes({ limits }: Pick<RunOptions, "limits">, memory: number | undefined): number | undefined {
  const asked = limits.memorySwapBytes || undefined;
  if (memory === undefined) {
    if (asked === undefined || asked === -1) return undefined;
    throw new Failure("--memory-swap needs a memory limit", { hint: "set --memory, too" });
  }
  if (asked === undefined) return memory * 2;
  if (asked === -1 || asked >= memory) return asked;
  throw new Failure(`--memory-swap (${asked} bytes) is below the memory limit (${memory} bytes)`, {
    hint: "it is memory and swap together: the same as --memory means no swap",
  });
}
