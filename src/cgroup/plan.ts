/**
 * Resources + the layout of the host -> what is made and written for one container's cgroup. Pure; the plan is plain data.
 */
import { Failure, unreachable } from "../failure.ts";
import type { Resources } from "../spec/config.ts";
import { ANY_DEVICE, deviceRules, type FullRule } from "./devices.ts";
import { type CgroupLayout, directoryOf } from "./layout.ts";
import { ancestorsOf, checkCgroupPath } from "./path.ts";
import { completeUpdate } from "./update.ts";
import * as v1 from "./v1.ts";
import * as v2 from "./v2.ts";
import type { AskedFor, Conversion, Write } from "./write.ts";

/** A write into a file by its absolute path (`instead`, too). */
export type PlannedWrite = Write;

export interface CgroupPlan {
  readonly layout: CgroupLayout["kind"];
  /** Below the root of every hierarchy. */
  readonly path: string;
  /** One a hierarchy; with the controllers that it is for. */
  readonly directories: readonly { readonly controllers: readonly string[]; readonly directory: string }[];
  /** Version 2: the files that hand controllers down to the cgroup, from the root on. */
  readonly enable: readonly { readonly file: string; readonly value: string }[];
  readonly writes: readonly PlannedWrite[];
  /** Version 2: what the program that guards the devices allows. Without it a new cgroup has none, and an update keeps it. */
  readonly devicesProgram?: readonly FullRule[];
  readonly warnings: readonly string[];
  /** Version 2: the host's id of the user in the container who may divide the cgroup up (config-linux.md#cgroup-ownership). */
  readonly ownerUid?: number;
}

export interface CgroupOptions {
  /** Which controllers' limits the user asked for; those of others are defaults. Without this, all. */
  readonly askedFor?: AskedFor;
}

/** Joined in any case: for limits that come later, for statistics, and to freeze and kill. `cpuset` is dear to join. */
const ALWAYS_V1: readonly string[] = ["cpu", "cpuacct", "memory", "pids", "blkio", "devices", "freezer"];
const ALWAYS_V2: readonly string[] = ["cpu", "memory", "pids", "io"];

/** Throws a Failure where a limit that was asked for cannot be had here, or has no sound value. */
export function planCgroup(
  layout: CgroupLayout,
  path: string,
  resources: Resources,
  options: CgroupOptions = {},
): CgroupPlan {
  checkCgroupPath(path);
  const askedFor = options.askedFor ?? (() => true);
  switch (layout.kind) {
    case "v2": {
      const rules = deviceRules(resources.devices ?? []);
      const plan = planLimits(layout, path, v2.convert(resources, askedFor), ALWAYS_V2);
      return rules === "everything" ? plan : { ...plan, devicesProgram: rules };
    }
    case "v1":
    case "hybrid": {
      const limits = v1.convert(resources, askedFor);
      const devicesAsked = resources.devices !== undefined && askedFor("devices");
      const writes = [...v1.convertDevices(resources.devices ?? [], devicesAsked), ...limits.writes];
      return planLimits(layout, path, { writes, warnings: limits.warnings }, ALWAYS_V1);
    }
    default:
      return unreachable(layout);
  }
}

/**
 * As `planCgroup`, for a cgroup that is there: just what `update` says is changed; devices, if it has rules for them.
 * @param current the limits that are in force, as far as they are known
 */
export function planUpdate(layout: CgroupLayout, path: string, update: Resources, current: Resources = {}): CgroupPlan {
  checkCgroupPath(path);
  const resources = completeUpdate(update, current);
  if (layout.kind === "v2") {
    const plan = planLimits(layout, path, v2.convert(resources), []);
    if (resources.devices === undefined) return plan;
    const rules = deviceRules(resources.devices);
    return { ...plan, devicesProgram: rules === "everything" ? [ANY_DEVICE] : rules };
  }
  const { writes, warnings } = v1.convert(resources);
  const devices = resources.devices === undefined ? [] : v1.convertDevices(resources.devices, true);
  return planLimits(layout, path, { writes: [...devices, ...writes], warnings }, []);
}

/** Version 2 files named `cgroup.*` are every cgroup's own. */
const CORE = "cgroup";

function controllersOf(layout: CgroupLayout): readonly string[] {
  return layout.kind === "v2" ? [...layout.available, CORE] : layout.controllers.map(({ name }) => name);
}

function planLimits(
  layout: CgroupLayout,
  path: string,
  { writes, warnings }: Conversion,
  always: readonly string[],
): CgroupPlan {
  const present = new Set(controllersOf(layout));
  const missing = new Map<string, Write>();
  for (const write of writes)
    if (!present.has(write.controller) && write.optional !== true) missing.set(write.controller, write);
  for (const write of missing.values()) if (write.asked) throw missingController(layout, write.controller);
  const kept = writes.filter(({ controller }) => present.has(controller));
  const used = new Set([...always, ...kept.map(({ controller }) => controller)].filter((name) => present.has(name)));
  used.delete(CORE);
  return {
    layout: layout.kind,
    path,
    directories: directoriesOf(layout, path, used),
    enable: layout.kind === "v2" && used.size > 0 ? enabling(layout.root, path, [...used]) : [],
    writes: kept.map((write) => placed(write, directoryOf(layout, write.controller, path) ?? "")),
    warnings: [
      ...warnings,
      ...[...missing.keys()].map((name) => `${describe(name)} not limited: this host has no '${name}' controller`),
    ],
  };
}

function placed(write: Write, directory: string): PlannedWrite {
  const { file, instead } = write;
  return {
    ...write,
    file: `${directory}/${file}`,
    ...(instead === undefined ? {} : { instead: { ...instead, file: `${directory}/${instead.file}` } }),
  };
}

function directoriesOf(layout: CgroupLayout, path: string, used: ReadonlySet<string>): CgroupPlan["directories"] {
  if (layout.kind === "v2") return [{ controllers: [...used], directory: `${layout.root}${path}` }];
  const directories = new Map<string, string[]>();
  for (const { name, mountpoint } of layout.controllers) {
    if (!used.has(name)) continue;
    const directory = `${mountpoint}${path}`;
    directories.set(directory, [...(directories.get(directory) ?? []), name]);
  }
  return [...directories].map(([directory, controllers]) => ({ controllers, directory }));
}

function enabling(root: string, path: string, controllers: readonly string[]): CgroupPlan["enable"] {
  const value = controllers.map((name) => `+${name}`).join(" ");
  return ["", ...ancestorsOf(path)].map((above) => ({ file: `${root}${above}/cgroup.subtree_control`, value }));
}

const SUBJECTS: Readonly<Record<string, string>> = {
  blkio: "block I/O is",
  cpu: "the CPU is",
  cpuset: "the set of CPUs is",
  devices: "the use of devices is",
  hugetlb: "huge pages are",
  io: "block I/O is",
  memory: "memory is",
  pids: "the number of processes is",
};

function describe(controller: string): string {
  return SUBJECTS[controller] ?? `${controller} is`;
}

function missingController(layout: CgroupLayout, controller: string): Failure {
  return new Failure(
    `a limit was asked for that needs the '${controller}' controller of cgroups, which is not available`,
    { hint: `leave the limit out, or ${howToHave(layout, controller)}` },
  );
}

/** What an administrator does about a controller that is missing; half a sentence. */
function howToHave(layout: CgroupLayout, controller: string): string {
  const offered = controllersOf(layout).filter((name) => name !== CORE);
  if (offered.length === 0) return "mount cgroups at /sys/fs/cgroup: no controllers are mounted or delegated here";
  const have = `(there are ${offered.join(", ")})`;
  switch (layout.kind) {
    case "v2":
      return `have it handed down: 'Delegate=${controller}' in a drop-in of the systemd unit above, or '+${controller}' in cgroup.subtree_control of every cgroup above, or, where it is off, 'cgroup_enable=${controller}' on the kernel's command line ${have}`;
    case "v1":
      return `mount it: mount -t cgroup -o ${controller} cgroup /sys/fs/cgroup/${controller} ${have}`;
    case "hybrid":
      return `take it out of the unified hierarchy, whose controllers are not used beside those of version 1, and mount it: mount -t cgroup -o ${controller} cgroup /sys/fs/cgroup/${controller} ${have}`;
    default:
      return unreachable(layout);
  }
}
