/**
 * Paths of a config that name the container's root by where it lies on the host, as runc understands them. Pure.
 */
import type { Mount } from "../spec/config.ts";
import type { RootStep } from "./root-steps.ts";

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** What of a path comes below a directory: `/r` and `/r/a/b` -> `/a/b`; undefined if it is elsewhere. */
function below(directory: string, path: string): string | undefined {
  const [above, parts] = [partsOf(directory), partsOf(path)];
  if (parts.includes("..") || above.some((part, index) => parts[index] !== part)) return undefined;
  return `/${parts.slice(above.length).join("/")}`;
}

/** The destination in the container: one that begins with the root's own path means what comes below. */
export function inRoot(root: string, mounts: readonly Mount[]): Mount[] {
  return mounts.map((mount) => {
    const destination = below(root, mount.destination);
    return destination === undefined || partsOf(root).length === 0 ? mount : { ...mount, destination };
  });
}

/**
 * Finds the sources that earlier steps have mounted something on or above: what is meant is what the container has there by
 * then, and not what the directory on the host has.
 */
export function findInside(root: string, steps: readonly RootStep[]): RootStep[] {
  const targets: string[] = [];
  return steps.map((step) => {
    if (step.do !== "bind" && step.do !== "mount") return step;
    const inside = step.do === "bind" ? below(root, step.source) : undefined;
    const isMounted = inside !== undefined && targets.some((target) => below(target, inside) !== undefined);
    targets.push(step.target);
    return step.do === "bind" && isMounted ? { ...step, inside } : step;
  });
}
