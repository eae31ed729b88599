/**
 * OCI config + what the host is like -> the plan of a container. Pure.
 */
import type { CgroupPlan } from "../cgroup/plan.ts";
import { Failure } from "../failure.ts";
import { findInside, inRoot } from "../isolation/inside-root.ts";
import { inUserNamespace, planNamespaces } from "../isolation/namespaces.ts";
import type { CgroupView } from "../isolation/plan-cgroup-mount.ts";
import { planRoot, rootPropagation } from "../isolation/plan-root.ts";
import type { RootStep } from "../isolation/root-steps.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import type { NetworkPlan } from "../network/plan.ts";
import type { Spec } from "../spec/config.ts";
import type { Plan, RootSource } from "./plan.ts";
import { planProcess } from "./process.ts";

export interface PlanContext {
  readonly id: string;
  readonly root: RootSource;
  readonly cgroup: CgroupPlan | undefined;
  readonly cgroupView: CgroupView;
  readonly network: NetworkPlan;
  /** Whether our own init is the first process. */
  readonly init: boolean;
  readonly seccomp: SeccompChoice;
  /** Whether we are in a user namespace ourselves: rootless. */
  readonly hostIsUserNamespace?: boolean;
}

export function planContainer(given: Spec, context: PlanContext): Plan {
  const directory = context.root.kind === "directory" ? context.root.path : undefined;
  const { mounts } = given;
  const spec =
    directory === undefined || mounts === undefined ? given : { ...given, mounts: inRoot(directory, mounts) };
  if (spec.process === undefined) throw new Failure("config.json: 'process' is missing");
  const namespaces = planNamespaces(spec.linux?.namespaces ?? []);
  const isUserNamespace = namespaces.create.includes("user");
  const { cwd, user } = spec.process;
  const steps = planRoot(spec, {
    cgroupView: context.cgroupView,
    userNamespace: inUserNamespace(namespaces) || context.hostIsUserNamespace === true,
  });
  const workingDirectory: RootStep = { do: "directory", path: cwd, mode: 0o755, uid: user.uid, gid: user.gid };
  return {
    id: context.id,
    root: context.root,
    readonlyRoot: spec.root?.readonly === true,
    rootPropagation: rootPropagation(spec),
    namespaces,
    network: context.network,
    rootSteps: [
      ...(directory === undefined ? steps : findInside(directory, steps)),
      ...(cwd === "/" ? [] : [workingDirectory]),
    ],
    sysctls: spec.linux?.sysctl ?? {},
    process: planProcess(spec, context.init, context.seccomp),
    ...(isUserNamespace
      ? { idMaps: { uids: spec.linux?.uidMappings ?? [], gids: spec.linux?.gidMappings ?? [] } }
      : {}),
    ...(context.cgroup === undefined ? {} : { cgroup: context.cgroup }),
    // An empty name is none: in a namespace of others it would take theirs away.
    ...(spec.hostname ? { hostname: spec.hostname } : {}),
    ...(spec.domainname ? { domainname: spec.domainname } : {}),
  };
}
