/**
 * OCI config -> the steps that make the root file system. Pure.
 * Sources: runtime-spec config.md#mounts, config-linux.md#default-devices, #devices, #masked-paths, #readonly-paths.
 */
import { Failure } from "../failure.ts";
import { ATTR, MS } from "../linux/mount.ts";
import type { Device, Mount, Spec } from "../spec/config.ts";
import { parseMountOptions } from "./mount-options.ts";
import type { BindStep, FilesystemStep, LinkStep, NodeStep, RootStep } from "./root-steps.ts";

/** How /sys/fs/cgroup is shown inside. */
export type CgroupView =
  /** A new mount of the unified hierarchy, in a cgroup namespace of the container's own. */
  | { readonly kind: "v2-private" }
  /** The container's part of the host's unified hierarchy. */
  | { readonly kind: "v2-host"; readonly directory: string }
  /** One directory a controller; `links` are other names of co-mounted controllers. */
  | {
      readonly kind: "v1";
      readonly directories: readonly { readonly name: string; readonly source: string }[];
      readonly links: readonly { readonly name: string; readonly to: string }[];
    };

export interface RootFacts {
  readonly cgroupView: CgroupView;
  /** In a user namespace device nodes cannot be made: the host's are bound in their place. */
  readonly userNamespace: boolean;
}

const MAX_MOUNTS = 4096;
const MAX_DEVICES = 1024;
const NODE_MODE = 0o666;

/** The devices that every container has: config-linux.md#default-devices. */
const DEFAULT_DEVICES: readonly Device[] = (
  [
    ["null", 1, 3],
    ["zero", 1, 5],
    ["full", 1, 7],
    ["random", 1, 8],
    ["urandom", 1, 9],
    ["tty", 5, 0],
  ] as const
).map(([name, major, minor]) => ({ type: "c", path: `/dev/${name}`, major, minor, fileMode: NODE_MODE }));

const DEFAULT_LINKS: readonly LinkStep[] = [
  { do: "link", path: "/dev/fd", to: "/proc/self/fd" },
  { do: "link", path: "/dev/stdin", to: "/proc/self/fd/0" },
  { do: "link", path: "/dev/stdout", to: "/proc/self/fd/1" },
  { do: "link", path: "/dev/stderr", to: "/proc/self/fd/2" },
  { do: "link", path: "/dev/core", to: "/proc/kcore" },
  { do: "link", path: "/dev/ptmx", to: "pts/ptmx" },
];

/** The steps that make the root of the container that `spec` asks for. */
export function planRoot(spec: Spec, facts: RootFacts): RootStep[] {
  const mounts = spec.mounts ?? [];
  const devices = spec.linux?.devices ?? [];
  if (mounts.length > MAX_MOUNTS)
    throw new Failure(`${mounts.length} mounts are more than the ${MAX_MOUNTS} that are possible`);
  if (devices.length > MAX_DEVICES)
    throw new Failure(`${devices.length} devices are more than the ${MAX_DEVICES} that are possible`);
  const steps: RootStep[] = [];
  let hasOwnDev = false;
  for (const mount of mounts) {
    steps.push(...planMount(mount, facts));
    if (normalPath(mount.destination) === "/dev") {
      hasOwnDev = true;
      // What is mounted on top of /dev later must find its targets, and may cover nodes made here.
      steps.push(...planDevices(devices, facts));
    }
  }
  if (!hasOwnDev) steps.push(...planDevices(devices, facts));
  if (spec.process?.terminal === true) {
    const size = spec.process.consoleSize;
    steps.push({ do: "console", rows: size?.height ?? 0, columns: size?.width ?? 0 });
  }
  for (const path of spec.linux?.readonlyPaths ?? []) steps.push({ do: "read-only", path });
  for (const path of spec.linux?.maskedPaths ?? []) steps.push({ do: "mask", path });
  return steps;
}

function normalPath(path: string): string {
  return `/${path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/")}`;
}

function planMount(mount: Mount, facts: RootFacts): RootStep[] {
  if (!mount.destination.startsWith("/"))
    throw new Failure(`mount destination '${mount.destination}' is not an absolute path`);
  const options = parseMountOptions(mount.options ?? [], mount.destination);
  if (options.bind !== "none" || mount.type === "bind") {
    if (mount.source === undefined) throw new Failure(`bind mount on ${mount.destination} has no source`);
    if (options.data.length > 0)
      throw new Failure(`bind mount on ${mount.destination}: unknown option '${options.data[0]}'`);
    return [
      {
        do: "bind",
        source: mount.source,
        target: mount.destination,
        recursive: options.bind !== "single",
        set: options.set,
        clear: options.clear,
        recursiveSet: options.recursiveSet,
        recursiveClear: options.recursiveClear,
        propagation: options.propagation ?? MS.private,
        propagationRecursive: options.propagation === undefined || options.propagationRecursive,
      },
    ];
  }
  const type = mount.type ?? "none";
  if (type === "cgroup" || type === "cgroup2") return planCgroupView(mount.destination, options.set, facts.cgroupView);
  return [
    {
      do: "mount",
      type,
      source: mount.source ?? type,
      target: mount.destination,
      data: options.data,
      attributes: options.set | options.recursiveSet,
      refuseLinks: type === "proc" || type === "sysfs",
      ...(options.propagation === undefined ? {} : { propagation: options.propagation }),
    },
  ];
}

function filesystem(type: string, target: string, attributes: number, data: string[] = []): FilesystemStep {
  return {
    do: "mount",
    type,
    source: type === "cgroup2" ? "cgroup" : type,
    target,
    data,
    attributes,
    refuseLinks: false,
  };
}

function bindOf(source: string, target: string, attributes: number): BindStep {
  return {
    do: "bind",
    source,
    target,
    recursive: false,
    set: attributes,
    clear: 0,
    recursiveSet: 0,
    recursiveClear: 0,
    propagation: MS.private,
    propagationRecursive: true,
  };
}

/** The container sees its own cgroup and nothing above it: on v1 as one bind mount a controller, as docker has it. */
function planCgroupView(target: string, attributes: number, view: CgroupView): RootStep[] {
  switch (view.kind) {
    case "v2-private":
      return [filesystem("cgroup2", target, attributes)];
    case "v2-host":
      return [bindOf(view.directory, target, attributes)];
    case "v1": {
      const covering = filesystem("tmpfs", target, attributes & ~ATTR.rdonly, ["mode=755", "size=4k"]);
      const controllers = view.directories.map(({ name, source }) => bindOf(source, `${target}/${name}`, attributes));
      const links = view.links.map(({ name, to }): LinkStep => ({ do: "link", path: `${target}/${name}`, to }));
      const closed: RootStep[] = (attributes & ATTR.rdonly) !== 0 ? [{ do: "read-only", path: target }] : [];
      return [covering, ...controllers, ...links, ...closed];
    }
  }
}

function planDevices(devices: readonly Device[], facts: RootFacts): RootStep[] {
  const named = new Set(devices.map((device) => device.path));
  const all = [...DEFAULT_DEVICES.filter((device) => !named.has(device.path)), ...devices];
  return [...all.map((device) => planDevice(device, facts)), ...DEFAULT_LINKS];
}

function planDevice(device: Device, facts: RootFacts): RootStep {
  if (!device.path.startsWith("/")) throw new Failure(`device path '${device.path}' is not absolute`);
  if (facts.userNamespace) return bindOf(device.path, device.path, 0);
  const node: NodeStep = {
    do: "node",
    path: device.path,
    type: device.type === "b" ? "block" : device.type === "p" ? "fifo" : "character",
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    mode: device.fileMode ?? NODE_MODE,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  };
  return node;
}
