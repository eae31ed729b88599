/**
 * A plan as a tree, for people: what `--dry-run` prints.
 */

import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { describeStep } from "./describe.ts";
import type { Plan, ProcessPlan, RootSource } from "./plan.ts";

interface Branch {
  readonly text: string;
  readonly children?: readonly Branch[];
}

const leaf = (text: string): Branch => ({ text });
const branch = (text: string, children: readonly Branch[]): Branch => ({ text, children });

/** The lines of the tree, without colours. */
export function planTree(plan: Plan): string[] {
  return [`container ${plan.id}`, ...draw(branches(plan), "")];
}

function draw(nodes: readonly Branch[], indent: string): string[] {
  return nodes.flatMap((node, index) => {
    const isLast = index === nodes.length - 1;
    const line = `${indent}${isLast ? "└─" : "├─"} ${node.text}`;
    return [line, ...draw(node.children ?? [], `${indent}${isLast ? "   " : "│  "}`)];
  });
}

function branches(plan: Plan): Branch[] {
  const { namespaces, cgroup, idMaps } = plan;
  const identity = [
    ...(plan.hostname === undefined ? [] : [leaf(`hostname ${plan.hostname}`)]),
    ...(plan.domainname === undefined ? [] : [leaf(`domain name ${plan.domainname}`)]),
    ...Object.entries(plan.sysctls).map(([name, value]) => leaf(`sysctl ${name}=${value}`)),
  ];
  return [
    branch("root", rootBranches(plan.root)),
    ...(cgroup === undefined ? [] : [branch("cgroup", dataBranches(cgroup))]),
    branch("namespaces", [
      ...namespaces.create.map((type) => leaf(`new ${type}`)),
      ...namespaces.join.map(({ type, path }) => leaf(`${type} of ${path}`)),
      ...(idMaps === undefined
        ? []
        : [branch("user ids", idMaps.uids.map(mapLeaf)), branch("group ids", idMaps.gids.map(mapLeaf))]),
    ]),
    branch("network", dataBranches(plan.network)),
    branch("file system, in order", [
      ...plan.rootSteps.map((step) => leaf(describeStep(step))),
      ...(plan.readonlyRoot ? [leaf("making the root read-only")] : []),
      leaf("pivot_root"),
    ]),
    ...(identity.length === 0 ? [] : [branch("identity", identity)]),
    branch("program", programBranches(plan.process)),
  ];
}

function mapLeaf(map: { containerID: number; hostID: number; size: number }): Branch {
  const last = (first: number) => first + map.size - 1;
  return leaf(`${map.containerID}-${last(map.containerID)} -> ${map.hostID}-${last(map.hostID)} of the host`);
}

function rootBranches(root: RootSource): Branch[] {
  if (root.kind === "directory") return [leaf(`directory ${root.path}`)];
  return [
    branch(
      "overlay of layers, the topmost first",
      root.layers.map((layer) => leaf(`${root.layersDirectory}/${layer}`)),
    ),
    leaf(`changes go to ${root.upper}${root.volatile ? " (volatile)" : ""}`),
  ];
}

function seccompText(seccomp: SeccompChoice): string {
  switch (seccomp.kind) {
    case "none":
      return "no seccomp filter";
    case "default":
      return "the default seccomp filter";
    case "profile":
      return `a seccomp filter of ${seccomp.profile.syscalls?.length ?? 0} rules`;
  }
}

function programBranches(process: ProcessPlan): Branch[] {
  const { user } = process;
  const groups = user.additionalGids ?? [];
  return [
    leaf(JSON.stringify(process.args)),
    ...(process.init ? [leaf("below an init that reaps")] : []),
    leaf(`user ${user.uid}, group ${user.gid}${groups.length > 0 ? `, groups ${groups.join(",")}` : ""}`),
    leaf(`directory ${process.cwd}`),
    branch("environment", process.env.map(leaf)),
    branch("capabilities", (process.capabilities.bounding ?? []).map(leaf)),
    leaf(seccompText(process.seccomp)),
    ...(process.noNewPrivileges ? [leaf("no new privileges")] : []),
    ...process.rlimits.map(({ type, soft, hard }) => leaf(`${type} ${soft}:${hard}`)),
    ...(process.terminal ? [leaf("with a terminal")] : []),
  ];
}

/** Any data as branches: for the parts of a plan whose shapes are those of their own layer. */
function dataBranches(data: object): Branch[] {
  return Object.entries(data).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (Array.isArray(value)) {
      return value.length === 0
        ? []
        : [
            branch(
              name,
              value.map((item) => (isObject(item) ? leaf(flat(item)) : leaf(String(item)))),
            ),
          ];
    }
    return isObject(value) ? [branch(name, dataBranches(value))] : [leaf(`${name}: ${String(value)}`)];
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function flat(item: object): string {
  return Object.entries(item)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${isObject(value) ? JSON.stringify(value) : String(value)}`)
    .join(", ");
}
