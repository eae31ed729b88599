/**
 * What of a container's mounts is there as well while it does not run: directories and files of the host. Pure.
 */
import type { Mount, Spec } from "../spec/config.ts";
import { parseMountOptions } from "./mount-options.ts";
import { normalPath, planBind } from "./plan-root.ts";
import type { BindStep } from "./root-steps.ts";

/** What the kernel shows of itself, and of the host's devices. */
const KERNELS = ["/proc", "/sys", "/dev"];

const lies = (path: string, below: string): boolean => path === below || path.startsWith(`${below}/`);

const isBind = ({ type, options, destination }: Mount): boolean =>
  type === "bind" || parseMountOptions(options ?? [], destination).bind !== "none";

/** Where file systems of the container's own are mounted, which end with it. */
export function ownMountsOf(spec: Spec): string[] {
  return (spec.mounts ?? []).filter((mount) => !isBind(mount)).map(({ destination }) => normalPath(destination));
}

/** The bind mounts that are not in one of those. */
export function planBinds(spec: Spec): BindStep[] {
  const facts = { userNamespace: spec.linux?.namespaces?.some(({ type }) => type === "user") === true };
  const covered = [...KERNELS, ...ownMountsOf(spec)];
  return (spec.mounts ?? [])
    .filter((mount) => isBind(mount) && !covered.some((path) => lies(normalPath(mount.destination), path)))
    .map((mount) =>
      planBind(mount, mount.destination, parseMountOptions(mount.options ?? [], mount.destination), facts),
    );
}
