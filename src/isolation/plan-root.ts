/**
 * OCI config -> the steps that make the root file system. Pure.
 * Sources: runtime-spec config.md#mounts, config-linux.md#default-devices, #devices, #masked-paths, #readonly-paths.
 */
import { Failure } from "../failure.ts";
import { ATTR, MS } from "../linux/mount.ts";
import type { Mount, Spec } from "../spec/config.ts";
import { contextOption } from "./mount-data.ts";
import { type MountOptions, parseMountOptions } from "./mount-options.ts";
import { type CgroupView, planCgroupMount } from "./plan-cgroup-mount.ts";
import { planDevices } from "./plan-devices.ts";
import type { BindStep, FilesystemStep, RootStep } from "./root-steps.ts";

export interface RootFacts {
  readonly cgroupView: CgroupView;
  /** In a user namespace device nodes cannot be made: the host's are bound in their place. */
  readonly userNamespace: boolean;
}

const MAX_MOUNTS = 4096;

/** The steps that make the root of the container that `spec` asks for. */
export function planRoot(spec: Spec, facts: RootFacts): RootStep[] {
  const mounts = spec.mounts ?? [];
  const devices = spec.linux?.devices ?? [];
  if (mounts.length > MAX_MOUNTS)
    throw new Failure(`${mounts.length} mounts are more than the ${MAX_MOUNTS} that are possible`);
  const steps: RootStep[] = [];
  const closed: RootStep[] = [];
  const label = contextOption(spec);
  let hasOwnDev = false;
  for (const mount of mounts) {
    const path = normalPath(mount.destination);
    const isDev = path === "/dev";
    for (const step of planMount(mount, path, facts, label)) {
      const closes = step.do === "mount" && (step.attributes & ATTR.rdonly) !== 0 && (isDev || step.type === "tmpfs");
      if (!closes) steps.push(step);
      else {
        // What is mounted in it needs places that are made first.
        steps.push({ ...step, attributes: step.attributes & ~ATTR.rdonly });
        closed.push({ do: "read-only", path: step.target, alone: true });
      }
      if (!isDev) continue;
      hasOwnDev = true;
      // What is mounted on top of /dev later must find its targets, and may cover nodes made here. A /dev of the host has its own.
      if (step.do !== "bind") steps.push(...planDevices(devices, facts.userNamespace));
    }
  }
  if (!hasOwnDev) steps.push(...planDevices(devices, facts.userNamespace));
  if (spec.process?.terminal === true) {
    const size = spec.process.consoleSize;
    steps.push({ do: "console", rows: size?.height ?? 0, columns: size?.width ?? 0 });
  }
  steps.push(...closed);
  for (const path of spec.linux?.readonlyPaths ?? []) steps.push({ do: "read-only", path });
  for (const path of new Set(spec.linux?.maskedPaths)) steps.push({ do: "mask", path });
  return steps;
}

export function normalPath(path: string): string {
  return `/${path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/")}`;
}

/** Files of /proc that may be covered, as lxcfs does: what they tell is of the container and not of the host then. */
const COVERABLE_IN_PROC = [
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/meminfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/uptime",
  "/proc/loadavg",
  "/proc/slabinfo",
  "/proc/net/dev",
  "/proc/sys/kernel/ns_last_pid",
  "/proc/sys/crypto/fips_enabled",
];

/** Whether that path of a process file system may be mounted on. */
export function isCoverableInProc(path: string): boolean {
  return COVERABLE_IN_PROC.includes(normalPath(path));
}

/** Whether that path is /proc itself. */
export function isProcPath(path: string): boolean {
  return normalPath(path) === "/proc";
}

/** File systems that have labels of their own, or take none: a context as an option would be refused. */
const WITHOUT_LABEL = ["proc", "sysfs", "mqueue", "cgroup", "cgroup2"];

/** @param path of its destination, in its normal form */
function planMount(mount: Mount, path: string, facts: RootFacts, label: string | undefined): RootStep[] {
  // A relative destination is deprecated, and below the root: config.md#mounts.
  const target = mount.destination.startsWith("/") ? mount.destination : `/${mount.destination}`;
  if (path === "/") {
    throw new Failure(`mount destination '${mount.destination}' is the container's root`, {
      hint: "name a directory below it; root.path is what the root itself is",
    });
  }
  const options = parseMountOptions(mount.options ?? [], target);
  const isBind = options.bind !== "none" || mount.type === "bind";
  refuseInProc(target, path, isBind, mount.type);
  if (isBind) return [planBind(mount, target, options, facts)];
  if (options.idmap !== "none" || mount.uidMappings !== undefined || mount.gidMappings !== undefined) {
    throw new Failure(`mount on ${target}: ids are mapped of bind mounts only`);
  }
  const type = mount.type ?? "none";
  if (options.copyUp && type !== "tmpfs") {
    throw new Failure(`mount on ${target}: 'tmpcopyup' is an option of tmpfs, and this is ${type}`);
  }
  if (type === "cgroup" || type === "cgroup2") return planCgroupMount(target, type, options, facts.cgroupView);
  const step: FilesystemStep = {
    do: "mount",
    type,
    source: mount.source ?? type,
    target,
    data: options.data,
    attributes: options.set | options.recursiveSet,
    refuseLinks: type === "proc" || type === "sysfs",
    ...(options.superblock.length === 0 ? {} : { superblock: options.superblock }),
    ...(options.copyUp ? { copyUp: true } : {}),
    ...(label === undefined || WITHOUT_LABEL.includes(type) ? {} : { label }),
    ...(options.propagation === undefined ? {} : { propagation: options.propagation }),
    ...(options.propagationRecursive ? { propagationRecursive: true } : {}),
  };
  return [step];
}

/** A process file system that is covered could be made to look like one: R5, CVE-2019-16884. */
function refuseInProc(target: string, path: string, isBind: boolean, type: string | undefined): void {
  if (path === "/proc" && !isBind && type !== "proc") {
    throw new Failure(`'${target}' cannot be mounted because it is not of type proc`);
  }
  if (path.startsWith("/proc/") && !isCoverableInProc(path)) {
    throw new Failure(`'${target}' cannot be mounted because it is inside /proc`);
  }
}

export function planBind(
  mount: Mount,
  target: string,
  options: MountOptions,
  { userNamespace }: Pick<RootFacts, "userNamespace">,
): BindStep {
  if (mount.source === undefined || mount.source === "") throw new Failure(`bind mount on ${target} has no source`);
  if (options.data.length > 0) {
    throw new Failure(`bind mount on ${target}: unknown option '${options.data[0]}'`, {
      hint: "bind mounts cannot have options of a file system",
    });
  }
  const { uidMappings: uids = [], gidMappings: gids = [] } = mount;
  if ((uids.length === 0) !== (gids.length === 0)) {
    throw new Failure(`mount on ${target}: uidMappings and gidMappings are given both or not at all`);
  }
  const own = uids.length > 0;
  // As mount(8): without attributes the source's are kept, and with `remount` those that are not named.
  const keeps = !options.namesAttributes || mount.options?.includes("remount") === true;
  return {
    do: "bind",
    source: mount.source,
    target,
    recursive: options.bind === "recursive",
    set: options.set,
    clear: options.clear,
    ...(keeps ? {} : { replaces: userNamespace ? "unlocked" : "all", namesAtime: options.namesAtime }),
    recursiveSet: options.recursiveSet,
    recursiveClear: options.recursiveClear,
    propagation: options.propagation ?? MS.private,
    propagationRecursive: options.propagation === undefined || options.propagationRecursive,
    ...(own ? { idMaps: { uids, gids } } : options.idmap === "none" ? {} : { idMaps: "container" }),
    ...(options.idmap === "recursive" ? { idmapRecursive: true } : {}),
    ...(options.sourceLink === "follow" ? {} : { sourceLink: options.sourceLink }),
    ...(options.targetLink === "mount" ? { onLink: true } : {}),
  };
}

export interface RootPropagation {
  /** MS.private or MS.slave, recursive, while the root is made: nothing that is mounted then reaches the host. */
  readonly initial: number;
  /** Flags of mount(2) for "/" when it is the root; undefined: it stays as it is. */
  readonly final?: number;
}

const ROOT_PROPAGATION: Readonly<Record<string, RootPropagation>> = {
  "": { initial: MS.private },
  private: { initial: MS.private },
  rprivate: { initial: MS.private },
  slave: { initial: MS.slave, final: MS.slave },
  rslave: { initial: MS.slave, final: MS.slave | MS.rec },
  shared: { initial: MS.private, final: MS.shared },
  rshared: { initial: MS.private, final: MS.shared | MS.rec },
  unbindable: { initial: MS.private, final: MS.unbindable },
  runbindable: { initial: MS.private, final: MS.unbindable | MS.rec },
};

/**
 * How the root's mounts are tied to the host's: config-linux.md#rootfs-mount-propagation. A slave sees what the host mounts
 * below the root's directory; a shared root is one for what runs inside, and never mounts anything on the host.
 */
export function rootPropagation(spec: Spec): RootPropagation {
  const name = spec.linux?.rootfsPropagation ?? "";
  const found = Object.hasOwn(ROOT_PROPAGATION, name) ? ROOT_PROPAGATION[name] : undefined;
  if (found === undefined) throw new Failure(`config.json: rootfsPropagation '${name}' is none`);
  return found;
}
