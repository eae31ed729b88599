/**
 * The progress of a container as lines for people.
 */
import type { ContainerEvent } from "../container/events.ts";
import { unreachable } from "../failure.ts";
import type { NamespaceType } from "../spec/config.ts";
import { formatCores, formatDuration, formatMebibytes, formatUptime } from "../term/format.ts";

const PREFIX = "[MyContainer]";

/** In the order in which they are told. */
const NAMESPACES: readonly [type: NamespaceType, text: string][] = [
  ["pid", "PID namespace (isolated process tree)"],
  ["mount", "Mount namespace (isolated filesystem)"],
  ["network", "Network namespace (isolated network stack)"],
  ["uts", "UTS namespace (isolated hostname)"],
  ["ipc", "IPC namespace (isolated IPC resources)"],
  ["user", "User namespace (isolated user ids)"],
];

export interface Style {
  readonly strong: (text: string) => string;
  readonly good: (text: string) => string;
  readonly faint: (text: string) => string;
}

export const PLAIN: Style = { strong: (text) => text, good: (text) => text, faint: (text) => text };

const paint = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;
export const COLOURED: Style = { strong: paint(1), good: paint(32), faint: paint(2) };

/** The lines that tell an event. */
export function progressLines(event: ContainerEvent, style: Style = PLAIN): string[] {
  const head = (text: string) => `${style.strong(PREFIX)} ${text}`;
  const done = (text: string) => `  ${style.good("✓")} ${text}`;
  const step = (text: string) => `  ${style.faint("→")} ${text}`;
  switch (event.kind) {
    case "creating":
      return [head(`Creating container '${event.id}'`)];
    case "namespaces":
      return [
        head("Setting up namespaces..."),
        ...NAMESPACES.filter(([type]) => event.types.includes(type)).map(([, text]) => done(text)),
      ];
    case "rooted":
      return [
        head("Setting up root filesystem..."),
        step(
          event.isDirectory ? `Using ${event.rootfs} as it is` : `Extracting ${event.image} rootfs to ${event.rootfs}`,
        ),
        step("Mounting proc, sys, dev"),
        step("Pivot root to container rootfs"),
      ];
    case "cgroup":
      return [
        head("Configuring cgroups..."),
        ...(event.memoryBytes === undefined ? [] : [step(`Memory limit: ${formatMebibytes(event.memoryBytes)}`)]),
        ...(event.cpus === undefined ? [] : [step(`CPU limit: ${formatCores(event.cpus)}`)]),
        step(`Creating cgroup: ${event.path}`),
      ];
    case "network":
      return [
        head("Setting up networking..."),
        step(`Creating veth pair: ${event.hostLink} <-> ${event.peerLink}`),
        step(`Moving ${event.peerLink} into container namespace`),
        step(`Assigning IP: ${event.address}/${event.prefix}`),
        step("Setting up NAT on host"),
      ];
    case "ready":
      return [head(`Container ready! (boot time: ${formatDuration(event.bootMs)})`), ""];
    case "debug":
      return [];
    case "warning":
      return [head(`Warning: ${event.text}`)];
    case "cleaning":
      return ["", head(`Cleaning up container '${event.id}'...`)];
    case "network-removed":
      return [step("Removing veth pair")];
    case "cgroup-removed":
      return [step("Deleting cgroup")];
    case "unmounted":
      return [step("Unmounting filesystems")];
    case "rootfs-removed":
      return [step("Removing rootfs")];
    case "stopped":
      return [
        head(
          `Container stopped (uptime: ${formatUptime(event.uptimeMs)}${event.outOfMemory ? ", killed because memory ran out: raise --memory" : ""})`,
        ),
      ];
    default:
      return unreachable(event);
  }
}
