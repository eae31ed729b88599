/**
 * Limits: what was asked for, else the defaults. 0 is none.
 */
import type { Resources } from "../spec/config.ts";
import type { Defaults, RunOptions } from "./options.ts";

const DEFAULT_PERIOD_MICROS = 100_000;

/** The memory limit in bytes, or undefined for none. */
export function memoryLimitBytes(options: RunOptions, defaults: Defaults): number | undefined {
  const bytes = options.limits.memoryBytes ?? defaults.memoryBytes;
  return bytes === 0 ? undefined : bytes;
}

export function composeResources(options: RunOptions, defaults: Defaults): Resources {
  const { limits } = options;
  const memory = memoryLimitBytes(options, defaults);
  const pids = limits.pids ?? defaults.pids;
  const cpus = limits.cpus ?? (limits.cpuQuotaMicros === undefined ? defaults.cpus : 0);
  const period = limits.cpuPeriodMicros ?? DEFAULT_PERIOD_MICROS;
  const quota = limits.cpuQuotaMicros ?? (cpus > 0 ? Math.round(cpus * period) : undefined);
  // docker: as much swap again as memory, where only memory is limited.
  const swap = limits.memorySwapBytes ?? (memory === undefined ? undefined : memory * 2);
  return {
    memory: {
      ...(memory === undefined ? {} : { limit: memory }),
      ...(swap === undefined || swap === 0 ? {} : { swap }),
      ...(limits.memoryReservationBytes === undefined ? {} : { reservation: limits.memoryReservationBytes }),
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
