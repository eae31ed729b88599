/**
 * Which cgroup a program is to be in that is added to a container: its own, or one below it, in all hierarchies or in those
 * of some controllers (`exec --cgroup`).
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { exists, O_DIRECTORY, O_PATH, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { getpid } from "../linux/process.ts";
import { openForClone, openForJoin } from "./apply.ts";
import { type CgroupLayout, detectLayout, mountpointsOf, unifiedOf } from "./layout.ts";
import { checkCgroupPath } from "./path.ts";

export interface CgroupChoice {
  /** The container's. */
  readonly own: string;
  /** In every hierarchy that `ofControllers` does not name. */
  readonly path: string;
  readonly ofControllers: ReadonlyMap<string, string>;
  /** Whether another than the container's own will not do. */
  readonly isAsked: boolean;
}

/** The container's own. */
export function ownChoice(own: string): CgroupChoice {
  return { own, path: own, ofControllers: new Map(), isAsked: false };
}

/** `PATH`, or `CONTROLLER[,CONTROLLER...]:PATH`, each below the container's cgroup. Pure. Throws a Failure. */
export function parseChoice(own: string, asked: readonly string[]): CgroupChoice {
  let path = own;
  const ofControllers = new Map<string, string>();
  for (const text of asked) {
    const colon = text.indexOf(":");
    const below = belowOf(own, text.slice(colon + 1));
    if (colon < 0) path = below;
    else for (const controller of text.slice(0, colon).split(",")) ofControllers.set(controller, below);
  }
  return { own, path, ofControllers, isAsked: asked.length > 0 };
}

function belowOf(own: string, path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  // "a/../b" would do no harm, and nobody needs it.
  if (parts.includes("..")) throw new Failure(`bad sub cgroup path: ${path} is not a sub cgroup path`);
  return checkCgroupPath([own, ...parts].join("/"));
}

/** Where the program is to be, by the hierarchy's mount point. Pure. Throws a Failure for a controller that there is not. */
export function directoriesOfChoice(layout: CgroupLayout, { path, ofControllers }: CgroupChoice): Map<string, string> {
  const found = new Map(mountpointsOf(layout).map((mountpoint) => [mountpoint, path]));
  const [first] = ofControllers.keys();
  if (layout.kind === "v2") {
    if (first === undefined) return found;
    throw new Failure(`--cgroup ${first}:...: there is one hierarchy of cgroups here, for all controllers`, {
      hint: "name the path alone",
    });
  }
  for (const [controller, below] of ofControllers) {
    const hierarchy = layout.controllers.find(({ name }) => name === controller || name === `name=${controller}`);
    if (hierarchy === undefined) throw new Failure(`--cgroup: unknown controller ${controller}`);
    found.set(hierarchy.mountpoint, below);
  }
  return found;
}

/**
 * Opens what `joinCgroup` needs, for the hierarchies of version 1. Throws a Failure where a cgroup that was asked for is not
 * there.
 */
export function openChosenForJoin(choice: CgroupChoice): Handle[] {
  if (!choice.isAsked) return openForJoin(choice.own);
  const layout = detectLayout();
  const unified = unifiedOf(layout)?.root;
  const directories = [...directoriesOfChoice(layout, choice)].filter(([mountpoint]) => mountpoint !== unified);
  const handles: Handle[] = [];
  try {
    for (const [mountpoint, path] of directories) {
      const directory = `${mountpoint}${path}`;
      // A cgroup that others have made need not be in all hierarchies.
      if (path === choice.own && !exists(directory)) continue;
      handles.push(joining(directory, () => openHost(`${directory}/tasks`, O_WRONLY)));
    }
    return handles;
  } catch (error) {
    for (const handle of handles) handle.close();
    throw error;
  }
}

/** As `openForClone`: of the unified hierarchy. */
export function openChosenForClone(choice: CgroupChoice): Handle | undefined {
  const layout = detectLayout();
  const unified = unifiedOf(layout);
  if (!choice.isAsked || unified === undefined) return openForClone(choice.own);
  const directory = `${unified.root}${choice.path}`;
  // On a hybrid host the cgroup that is meant is one of version 1.
  if (layout.kind === "hybrid" && !exists(directory)) return openForClone(choice.own);
  return joining(directory, () => openHost(directory, O_PATH | O_DIRECTORY));
}

/** Does what puts this process into a cgroup; why that fails is told in runc's words. */
export function joining<T>(directory: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!isErrno(error)) throw error;
    const reason = error.code === "ENOENT" ? "no such file or directory" : error.message;
    throw new Failure(`error adding pid ${getpid()} to cgroups: ${directory}/cgroup.procs: ${reason}`, {
      cause: error,
    });
  }
}
