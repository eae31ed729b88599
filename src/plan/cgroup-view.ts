/**
 * How a container sees its cgroup, from where it is on the host. Pure.
 */
import type { CgroupLayout } from "../cgroup/layout.ts";
import type { CgroupView } from "../isolation/plan-root.ts";

/** The last part of a path. */
function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function cgroupViewOf(layout: CgroupLayout, path: string, isPrivate: boolean): CgroupView {
  if (layout.kind === "v2") {
    return isPrivate ? { kind: "v2-private" } : { kind: "v2-host", directory: `${layout.root}${path}` };
  }
  const mountpoints = [...new Set(layout.controllers.map(({ mountpoint }) => mountpoint))];
  return {
    kind: "v1",
    directories: mountpoints.map((mountpoint) => ({ name: baseName(mountpoint), source: `${mountpoint}${path}` })),
    // Co-mounted controllers have one directory, and names of their own that lead to it.
    links: layout.controllers
      .filter(({ name, mountpoint }) => baseName(mountpoint) !== name)
      .map(({ name, mountpoint }) => ({ name, to: baseName(mountpoint) })),
  };
}
