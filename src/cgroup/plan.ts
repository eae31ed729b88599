/**
 * Resources + the layout of the host -> what is made and written for one container's cgroup. Pure; the plan is plain data.
 */
import { Failure, unreachable } from "../failure.ts";
import type { Resources } from "../spec/config.ts";
import { ANY_DEVICE, deviceRules, type FullRule } from "./devices.ts";
import { convertForHybrid } from "./hybrid.ts";
import { type CgroupLayout, directoryOf, mountpointsOf, unifiedOf, v1ControllersOf } from "./layout.ts";
import { ancestorsOf, checkCgroupPath } from "./path.ts";
import { completeUpdate } from "./update.ts";
import * as v1 from "./v1.ts";
import * as v2 from "./v2.ts";
import type { AskedFor, Conversion, Write } from "./write.ts";

/** A write into a file by its absolute path (`instead`, too). */
export type PlannedWrite = Write;

export interface PlannedDirectory {
  readonly controllers: readonly string[];
  readonly directory: string;
  /** In the unified hierarchy of a hybrid layout. */
  readonly unified?: true;
}

export interface CgroupPlan {
  readonly layout: CgroupLayout["kind"];
  /** Below the root of every hierarchy. */
  readonly path: string;
  /** One a hierarchy, with the controllers that it is for. */
  readonly directories: readonly PlannedDirectory[];
  /** In the unified hierarchy: the files that hand controllers down to the cgroup, from the root on. */
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

/**
 * Of version 2, handed down in any case: for limits that come later, and for statistics. Of version 1 all hierarchies are
 * joined, and the unified one beside them, as runc does: who finds a container by its process (/proc/PID/cgroup) must find
 * it in each; systemd must not take it for a part of the unit that it was started from; and Java, for one, heeds no limits
 * where it does not see `cpuset`.
 */
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
      const limits = convertForV1(layout, resources, askedFor);
      const devicesAsked = resources.devices !== undefined && askedFor("devices");
      const writes = [...v1.convertDevices(resources.devices ?? [], devicesAsked), ...limits.writes];
      return planLimits(layout, path, { writes, warnings: limits.warnings }, "all");
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
  const { writes, warnings } = convertForV1(layout, resources);
  const devices = resources.devices === undefined ? [] : v1.convertDevices(resources.devices, true);
  return planLimits(layout, path, { writes: [...devices, ...writes], warnings }, []);
}

/** Of a hybrid layout, controllers which version 1 does not have are used where they are. */
function convertForV1(layout: V1Layout, resources: Resources, askedFor?: AskedFor): Conversion {
  const limits = v1.convert(resources, askedFor);
  if (layout.kind === "v1") return limits;
  return convertForHybrid(limits, resources, v1ControllersOf(layout), layout.unified.available, askedFor);
}

type V1Layout = Exclude<CgroupLayout, { kind: "v2" }>;

/** Version 2 files named `cgroup.*` are every cgroup's own. */
const CORE = "cgroup";

function controllersOf(layout: CgroupLayout): readonly string[] {
  if (layout.kind === "v2") return [...layout.available, CORE];
  return [...v1ControllersOf(layout), ...(unifiedOf(layout)?.available ?? [])];
}

/** @param always what is used of the cgroup beside the controllers that are written to: "all" is every hierarchy */
function planLimits(
  layout: CgroupLayout,
  path: string,
  { writes, warnings }: Conversion,
  always: readonly string[] | "all",
): CgroupPlan {
  const present = new Set(controllersOf(layout));
  const missing = new Map<string, Write>();
  for (const write of writes)
    if (!present.has(write.controller) && write.optional !== true) missing.set(write.controller, write);
  for (const write of missing.values()) if (write.asked) throw missingController(layout, write.controller);
  const kept = writes.filter(({ controller }) => present.has(controller));
  const more = always === "all" ? [] : always;
  const used = new Set([...more, ...kept.map(({ controller }) => controller)].filter((name) => present.has(name)));
  used.delete(CORE);
  const directories = directoriesOf(layout, path, used, always === "all");
  const unified = unifiedOf(layout);
  const handedDown = layout.kind === "v2" ? [...used] : (directories.find((one) => one.unified)?.controllers ?? []);
  return {
    layout: layout.kind,
    path,
    directories,
    enable: unified !== undefined && handedDown.length > 0 ? enabling(unified.root, path, handedDown) : [],
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

/** @param everywhere whether hierarchies which nothing is used of count too */
function directoriesOf(
  layout: CgroupLayout,
  path: string,
  used: ReadonlySet<string>,
  everywhere: boolean,
): PlannedDirectory[] {
  if (layout.kind === "v2") return [{ controllers: [...used], directory: `${layout.root}${path}` }];
  const all: PlannedDirectory[] = mountpointsOf(layout).map((mountpoint) => {
    const directory = `${mountpoint}${path}`;
    if (layout.kind === "hybrid" && mountpoint === layout.unified.root) {
      const onV1 = v1ControllersOf(layout);
      const controllers = layout.unified.available.filter((name) => used.has(name) && !onV1.includes(name));
      return { controllers, directory, unified: true };
    }
    const here = layout.controllers.filter((controller) => controller.mountpoint === mountpoint);
    return { controllers: here.map(({ name }) => name), directory };
  });
  return everywhere ? all : all.filter(({ controllers }) => controllers.some((name) => used.has(name)));
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
      return `mount it: mount -t cgroup -o ${controller} cgroup /sys/fs/cgroup/${controller} ${have}`;
    default:
      return unreachable(layout);
  }
}
