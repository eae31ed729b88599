/**
 * Which processes a cgroup has.
 */
import { listDirectory, readTextIfThere } from "../linux/hostpath.ts";
import { readIfAlive } from "./file.ts";
import { detectLayout, mountpointsOf } from "./layout.ts";
import { checkCgroupPath } from "./path.ts";

/** The processes in the cgroup at `path` and in those nested in it, of all hierarchies; none if it is not there. */
export function processesIn(path: string): number[] {
  const cgroup = checkCgroupPath(path);
  const directories = mountpointsOf(detectLayout()).map((mountpoint) => `${mountpoint}${cgroup}`);
  return [...membersOf(directories)].sort((one, other) => one - other);
}

/** The processes in these directories, and in the cgroups nested in them. Those of other PID namespaces (`0`) have no name here. */
export function membersOf(directories: readonly string[], pids: Set<number> = new Set()): Set<number> {
  for (const directory of directories) {
    for (const line of (readIfAlive(`${directory}/cgroup.procs`) ?? "").split("\n"))
      if (Number(line) > 0) pids.add(Number(line));
    membersOf(nestedIn(directory), pids);
  }
  return pids;
}

/** The directories of the cgroups right below one. */
export function nestedIn(directory: string): string[] {
  return listDirectory(directory)
    .filter((entry) => entry.isDirectory)
    .map((entry) => `${directory}/${entry.name}`);
}

/** The cgroup of version 2 that a process is in, as a path below the root of that hierarchy: cgroups(7), /proc/PID/cgroup. */
export function unifiedCgroupOf(pid: number): string | undefined {
  const line = (readTextIfThere(`/proc/${pid}/cgroup`) ?? "").split("\n").find((text) => text.startsWith("0::"));
  return line?.slice("0::".length);
}
