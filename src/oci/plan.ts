/**
 * config.json + the host -> the plan of a container. Looks at the host, and changes nothing there.
 */
import { detectLayout } from "../cgroup/layout.ts";
import { resolveCgroupsPath } from "../cgroup/path.ts";
import { type CgroupPlan, planCgroup } from "../cgroup/plan.ts";
import { hostIdOf, runsInUserNamespace } from "../isolation/idmap.ts";
import { asksForLabels, checkLabels, labelFacts } from "../isolation/labels.ts";
import type { CgroupView } from "../isolation/plan-cgroup-mount.ts";
import { cgroupViewOf } from "../plan/cgroup-view.ts";
import { planContainer } from "../plan/container.ts";
import type { Plan } from "../plan/plan.ts";
import type { Mount, Spec } from "../spec/config.ts";
import { absolute, type Bundle } from "./bundle.ts";
import { withFixedGroups } from "./fixed-groups.ts";
import type { Globals } from "./globals.ts";
import { refuseOurOwn } from "./joined.ts";
import type { ContainerRecord } from "./record.ts";
import { seccompOf } from "./seccomp.ts";

/** What of the command line goes into a plan. */
export interface PlanFlags {
  readonly noPivot: boolean;
  readonly newKeyring: boolean;
}

/** Plans the container of a bundle. Throws a Failure for what cannot be done here. */
export function planBundle(
  bundle: Bundle,
  id: string,
  globals: Globals,
  flags: PlanFlags,
  systemd: { readonly path: string; readonly unit: string } | undefined,
): Plan {
  const { rootfs } = bundle;
  const spec = withAbsoluteSources(bundle);
  const namespaces = spec.linux?.namespaces ?? [];
  const own = (type: string) => namespaces.some((namespace) => namespace.type === type && !namespace.path);
  const has = (type: string) => namespaces.some((namespace) => namespace.type === type);
  if (namespaces.some(({ path }) => path)) refuseOurOwn(spec);
  const cgroup = planOwnCgroup(spec, id, globals, systemd?.path);
  const inUserNamespace = runsInUserNamespace();
  const plan = planContainer(spec, {
    id,
    root: { kind: "directory", path: rootfs },
    cgroup,
    cgroupView: viewOf(cgroup, has("cgroup")),
    network: { kind: own("network") ? "none" : "host" },
    init: false,
    seccomp: seccompOf(spec),
    hostIsUserNamespace: inUserNamespace,
  });
  const labels = { ...plan.process, mountLabel: spec.linux?.mountLabel };
  if (asksForLabels(labels)) checkLabels(labels, labelFacts());
  return {
    ...plan,
    noPivot: flags.noPivot,
    ...(systemd === undefined ? {} : { systemdUnit: systemd.unit }),
    cgroupIsOptional: (globals.rootless || inUserNamespace) && !asksForLimits(spec),
    process: { ...withFixedGroups(plan.process, spec), newKeyring: flags.newKeyring },
    ...(spec.hooks === undefined ? {} : { hooks: spec.hooks }),
  };
}

/** Sources of bind mounts may be relative to the bundle: config.md#mounts. Pure. */
function withAbsoluteSources({ spec, path }: Bundle): Spec {
  if (spec.mounts === undefined) return spec;
  const isBind = ({ type, options = [] }: Mount) =>
    type === "bind" || options.includes("bind") || options.includes("rbind");
  const isRelative = (mount: Mount) => isBind(mount) && mount.source !== undefined && /^[^/]/.test(mount.source);
  const mounts = spec.mounts.map((mount) =>
    isRelative(mount) ? { ...mount, source: absolute(mount.source ?? "", path) } : mount,
  );
  return { ...spec, mounts };
}

/** The plan that a container on record was made by. */
export function planRecorded(spec: Spec, record: ContainerRecord, globals: Globals): Plan {
  const { id, bundle, rootfs, cgroupPath, systemd } = record;
  const unit = systemd === undefined || cgroupPath === undefined ? undefined : { path: cgroupPath, unit: systemd.unit };
  const flags = { noPivot: false, newKeyring: true };
  return planBundle({ path: bundle, config: "", isPlain: false, spec, warnings: [], rootfs }, id, globals, flags, unit);
}

/** Whether a cgroup is needed for more than to hold the container's processes; rules for devices are kept by the kernel anyway. */
function asksForLimits({ linux }: Spec): boolean {
  const { devices: _, ...limits } = linux?.resources ?? {};
  return Object.values(limits).some((limit) => Object.keys(limit ?? {}).length > 0);
}

function planOwnCgroup(
  spec: Spec,
  id: string,
  { cgroups }: Globals,
  systemdPath: string | undefined,
): CgroupPlan | undefined {
  if (cgroups === "none") return undefined;
  const path = systemdPath ?? resolveCgroupsPath(spec.linux?.cgroupsPath, id);
  const plan = planCgroup(detectLayout(), path, spec.linux?.resources ?? {});
  const ownerUid = plan.layout === "v2" ? cgroupOwnerOf(spec) : undefined;
  return ownerUid === undefined ? plan : { ...plan, ownerUid };
}

const CGROUP_MOUNT = "/sys/fs/cgroup";

/**
 * The host's id of the user who is to own the container's cgroup: where the container has a namespace of them, and sees it
 * writable (config-linux.md#cgroup-ownership). Pure.
 */
export function cgroupOwnerOf(spec: Spec): number | undefined {
  const { namespaces = [], uidMappings = [] } = spec.linux ?? {};
  const isPrivate = namespaces.some(({ type, path }) => type === "cgroup" && !path);
  const mount = spec.mounts?.findLast(({ destination }) => destination === CGROUP_MOUNT);
  const access = mount?.options?.findLast((option) => option === "ro" || option === "rw");
  if (!isPrivate || mount === undefined || access === "ro") return undefined;
  if (!namespaces.some(({ type }) => type === "user")) return spec.process?.user.uid;
  return hostIdOf(spec.process?.user.uid ?? 0, uidMappings);
}

/** Without cgroups there is nothing to be shown but what is there. */
function viewOf(cgroup: CgroupPlan | undefined, isPrivate: boolean): CgroupView {
  return cgroup === undefined ? { kind: "v2-private" } : cgroupViewOf(cgroup, isPrivate);
}
