/**
 * The path of a cgroup below the root of every hierarchy, as in `/mycontainer/alpine-c4a2f1`.
 */
import { Failure } from "../failure.ts";

const PATH_LIMIT = 2048;
const NAME_LIMIT = 255;

/**
 * Checks a path. What is named by it will have its processes killed and its directories removed, so it must never mean
 * a root or something outside. Throws a Failure.
 */
export function checkCgroupPath(path: string): string {
  const names = path.split("/").slice(1);
  const isSound = (name: string) =>
    name !== "" && name !== "." && name !== ".." && name.length <= NAME_LIMIT && !/[\0\n]/.test(name);
  if (!path.startsWith("/") || path.length > PATH_LIMIT || names.length === 0 || !names.every(isSound))
    throw new Failure(`'${path}' cannot be the path of a cgroup`, { hint: "a path is as in /mycontainer/name" });
  return path;
}

/** Below which a relative path lies, and the cgroup of a container that has none. */
const PARENT = "/mycontainer";

/**
 * The cgroup that `linux.cgroupsPath` of a configuration means: an absolute path is below the root of every hierarchy, a
 * relative one below our own place there (config-linux.md#cgroups-path leaves that to the runtime; the caller's cgroup, as
 * in runc, would be another one in every hierarchy of version 1). Pure. Throws a Failure.
 */
export function resolveCgroupsPath(cgroupsPath: string | undefined, id: string): string {
  const path = cgroupsPath === undefined || cgroupsPath === "" ? id : cgroupsPath;
  return checkCgroupPath(path.startsWith("/") ? path : `${PARENT}/${path}`);
}

/** The cgroups above one, topmost first: `/a/b/c` -> `/a`, `/a/b`. */
export function ancestorsOf(path: string): string[] {
  const names = path.split("/").slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
}
