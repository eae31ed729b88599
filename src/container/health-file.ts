/**
 * The state of a container's health on disk. Its supervisor's checks and those that somebody asks for by hand write it, one
 * after the other.
 */
import type { Handle } from "../linux/fd.ts";
import { lock } from "../linux/flock.ts";
import { O_CREAT, O_RDWR, openHost, readTextIfThere, replaceFile } from "../linux/hostpath.ts";
import { afterResult, type Health, type HealthPlan, type HealthResult, newHealth } from "./health.ts";
import { containerPaths, type StateRoot } from "./paths.ts";

/** The state; undefined for a container without checks. */
export function readHealth(root: StateRoot, id: string): Health | undefined {
  const text = readTextIfThere(containerPaths(root, id).health);
  // Written by ourselves, whole.
  return text === undefined ? undefined : (JSON.parse(text) as Health);
}

/** The state of a container that has just started. */
export function beginHealth(root: StateRoot, id: string, startedAtMs: number): void {
  const paths = containerPaths(root, id);
  using _lock: Handle = openHost(paths.healthLock, O_RDWR | O_CREAT);
  replaceFile(paths.health, JSON.stringify(newHealth(startedAtMs)), { durable: false });
}

/** Adds a result. Returns the new state. @throws KernelError ENOENT if the container is gone */
export function recordResult(
  root: StateRoot,
  id: string,
  plan: HealthPlan,
  { result, beganAtMs }: { readonly result: HealthResult; readonly beganAtMs: number },
): Health {
  const paths = containerPaths(root, id);
  using held = openHost(paths.healthLock, O_RDWR);
  lock(held.fd, paths.healthLock);
  const health = afterResult(plan, readHealth(root, id) ?? newHealth(beganAtMs), result, beganAtMs);
  replaceFile(paths.health, JSON.stringify(health), { durable: false });
  return health;
}
