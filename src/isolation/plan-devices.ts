/**
 * The device nodes of a container, as steps. Pure.
 * Sources: runtime-spec config-linux.md#default-devices, #devices.
 */
import { Failure } from "../failure.ts";
import type { Device } from "../spec/config.ts";
import { bindOf, type LinkStep, type NodeStep, type RootStep } from "./root-steps.ts";

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

const DEFAULT_NODES = DEFAULT_DEVICES.map(nodeOf);

/** @param userNamespace where nodes cannot be made: others are bound in their place, of the default devices the host's */
export function planDevices(devices: readonly Device[], userNamespace: boolean): RootStep[] {
  if (devices.length > MAX_DEVICES)
    throw new Failure(`${devices.length} devices are more than the ${MAX_DEVICES} that are possible`);
  const nodes = devices.map(nodeOf);
  const named = new Set(nodes.map(({ path }) => path));
  const defaults = DEFAULT_NODES.filter(({ path }) => !named.has(path));
  if (!userNamespace) return [...defaults, ...nodes, ...DEFAULT_LINKS];
  return [
    ...defaults.map(({ path }) => bindOf(path, path, 0)),
    ...nodes.map((device) => ({ ...bindOf(device.path, device.path, 0), device })),
    ...DEFAULT_LINKS,
  ];
}

function nodeOf(device: Device): NodeStep {
  if (!device.path.startsWith("/")) throw new Failure(`device path '${device.path}' is not absolute`);
  const path = device.path.endsWith("/") ? device.path.replace(/\/+$/, "") : device.path;
  if (path === "") throw new Failure(`device path '${device.path}' is the root`);
  return {
    do: "node",
    path,
    type: device.type === "b" ? "block" : device.type === "p" ? "fifo" : "character",
    major: device.major ?? 0,
    minor: device.minor ?? 0,
    mode: device.fileMode ?? NODE_MODE,
    uid: device.uid ?? 0,
    gid: device.gid ?? 0,
  };
}
