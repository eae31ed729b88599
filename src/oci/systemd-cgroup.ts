/**
 * `--systemd-cgroup`: the container's cgroup is that of a scope, which systemd makes for its first process.
 */
import { detectLayout } from "../cgroup/layout.ts";
import {
  annotationProperties,
  deviceGroups,
  deviceProperties,
  limitProperties,
  type Property,
  parseSystemdPath,
} from "../cgroup/systemd.ts";
import { managerCgroup, startScope, stopScope, updateScope } from "../cgroup/systemd-scope.ts";
import { unifiedProperties } from "../cgroup/systemd-unified.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import type { Resources, Spec } from "../spec/config.ts";

/** What a container's record says of it. */
export interface SystemdUnit {
  readonly unit: string;
  /** Whether it is one of the user's own manager. */
  readonly isUser: boolean;
}

export interface SystemdCgroup extends SystemdUnit {
  /** Below the root of each hierarchy. */
  readonly path: string;
  /** Has systemd put the container's first process there. */
  readonly enter: (pid: number) => void;
}

/** The later wins with systemd, as with us. */
function allLimits(resources: Resources): Property[] {
  if (detectLayout().kind !== "v2") return limitProperties(resources, 1);
  return [...limitProperties(resources, 2), ...unifiedProperties(resources.unified)];
}

/** Asks systemd where its cgroup is; makes nothing. Throws a Failure. */
export function systemdCgroup(spec: Spec, id: string, isUser: boolean): SystemdCgroup {
  const place = parseSystemdPath(spec.linux?.cgroupsPath, id, isUser);
  const resources = spec.linux?.resources ?? {};
  const properties: Property[] = [
    ...allLimits(resources),
    ...deviceProperties(resources, deviceGroups(readTextIfThere("/proc/devices") ?? "")),
    ...annotationProperties(spec.annotations),
  ];
  return {
    unit: place.unit,
    isUser,
    path: `${managerCgroup(isUser)}${place.path}`,
    enter: (pid) => startScope({ place, isUser, description: `mycontainer container ${id}`, properties }, pid),
  };
}

export function updateSystemd({ unit, isUser }: SystemdUnit, resources: Resources): void {
  updateScope(unit, isUser, allLimits(resources));
}

export function stopSystemd({ unit, isUser }: SystemdUnit): void {
  stopScope(unit, isUser);
}
