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

/** @param userNamespace where nodes cannot be made: the host's are bound in their place */
export function planDevices(devices: readonly Device[], userNamespace: boolean): RootStep[] {
  if (devices.length > MAX_DEVICES)
    throw new Failure(`${devices.length} devices are more than the ${MAX_DEVICES} that are possible`);
  const named = new Set(devices.map((device) => device.path));
  const all = [...DEFAULT_DEVICES.filter((device) => !named.has(device.path)), ...devices];
  return [...all.map((device) => planDevice(device, userNamespace)), ...DEFAULT_LINKS];
}

function planDevice(device: Device, userNamespace: boolean): RootStep {
  if (!device.path.startsWith("/")) throw new Failure(`device path '${device.path}' is not absolute`);
  if (userNamespace) return bindOf(device.path, device.path, 0);
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
