/**
 * Limits on a hybrid host: most controllers are of version 1, and those which only the unified hierarchy has are used there.
 */
import type { Resources } from "../spec/config.ts";
import * as v2 from "./v2.ts";
import type { AskedFor, Conversion } from "./write.ts";

/** What of the resources a controller of version 2 is for. */
const RESOURCES_OF: Readonly<Record<string, (resources: Resources) => Resources>> = {
  cpu: ({ cpu }) => pick("cpu", cpu),
  cpuset: ({ cpu }) => pick("cpu", cpu),
  hugetlb: ({ hugepageLimits }) => pick("hugepageLimits", hugepageLimits),
  io: ({ blockIO }) => pick("blockIO", blockIO),
  memory: ({ memory }) => pick("memory", memory),
  pids: ({ pids }) => pick("pids", pids),
  rdma: ({ rdma }) => pick("rdma", rdma),
};

/** The same controller by its name in version 1. */
const V1_NAMES: Readonly<Record<string, string>> = { io: "blkio" };

function pick<Key extends keyof Resources>(key: Key, value: Resources[Key] | undefined): Resources {
  return value === undefined ? {} : { [key]: value };
}

/**
 * Has the requests for controllers which version 1 lacks and version 2 has made in version 2's words. Pure.
 * @param limits all of the resources, as for version 1
 * @param onV1 controllers that version 1 has
 * @param available controllers that the unified hierarchy has
 */
export function convertForHybrid(
  limits: Conversion,
  resources: Resources,
  onV1: readonly string[],
  available: readonly string[],
  askedFor?: AskedFor,
): Conversion {
  let { writes, warnings } = limits;
  for (const controller of available) {
    const old = V1_NAMES[controller] ?? controller;
    const part = RESOURCES_OF[controller]?.(resources) ?? {};
    if (onV1.includes(old) || Object.keys(part).length === 0) continue;
    const converted = v2.convert(part, askedFor);
    const own = converted.writes.filter((write) => write.controller === controller);
    writes = [...writes.filter((write) => write.controller !== old), ...own];
    warnings = [...warnings, ...converted.warnings];
  }
  return { writes, warnings };
}
