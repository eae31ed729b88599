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

/** The cgroups above one, topmost first: `/a/b/c` -> `/a`, `/a/b`. */
export function ancestorsOf(path: string): string[] {
  const names = path.split("/").slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
}
