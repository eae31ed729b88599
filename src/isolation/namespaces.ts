/**
 * Namespaces: namespaces(7), clone(2), setns(2).
 */
import { Failure } from "../failure.ts";
import { CLONE } from "../linux/process.ts";
import type { Namespace, NamespaceType } from "../spec/config.ts";

const FLAGS: Readonly<Record<NamespaceType, number>> = {
  user: CLONE.newUser,
  pid: CLONE.newPid,
  mount: CLONE.newMount,
  network: CLONE.newNet,
  uts: CLONE.newUts,
  ipc: CLONE.newIpc,
  cgroup: CLONE.newCgroup,
  time: CLONE.newTime,
};

/** Names of the files in /proc/PID/ns. */
export const NAMESPACE_FILES: Readonly<Record<NamespaceType, string>> = {
  user: "user",
  pid: "pid",
  mount: "mnt",
  network: "net",
  uts: "uts",
  ipc: "ipc",
  cgroup: "cgroup",
  time: "time",
};

export interface NamespacePlan {
  /** Made with the container's first process, or by it (the cgroup namespace, once it is in its cgroup). */
  readonly create: readonly NamespaceType[];
  /** Those of others that are entered. */
  readonly join: readonly { readonly type: NamespaceType; readonly path: string }[];
}

export function flagOf(type: NamespaceType): number {
  return FLAGS[type];
}

export function planNamespaces(namespaces: readonly Namespace[]): NamespacePlan {
  const seen = new Set<string>();
  for (const { type } of namespaces) {
    if (!(type in FLAGS)) throw new Failure(`linux.namespaces: unknown type '${type}'`);
    if (seen.has(type)) throw new Failure(`linux.namespaces: type '${type}' is named twice`);
    seen.add(type);
  }
  const join = namespaces.flatMap(({ type, path }) => (path === undefined || path === "" ? [] : [{ type, path }]));
  const create = namespaces.filter(({ path }) => path === undefined || path === "").map(({ type }) => type);
  if (!seen.has("mount")) throw new Failure("a container without a mount namespace of its own is not possible");
  return { create, join };
}

/** Whether the container's processes are in a user namespace other than ours. */
export function inUserNamespace({ create, join }: NamespacePlan): boolean {
  return create.includes("user") || join.some(({ type }) => type === "user");
}

/**
 * Namespaces that must be entered before the first process is made, by a process in between: a PID namespace is that of one's
 * children, a user namespace has to own those that are made in it, and from within a new one nobody else's can be entered.
 */
export function joinsAhead({ create, join }: NamespacePlan): boolean {
  return join.some(({ type }) => type === "pid" || type === "user") || (create.includes("user") && join.length > 0);
}

/** The flags for clone3(2); a cgroup namespace is unshared later, by the process that is in its cgroup by then. */
export function cloneFlags(plan: NamespacePlan): number {
  return plan.create
    .filter((type) => type !== "cgroup" && type !== "time")
    .reduce((flags, type) => flags + FLAGS[type], 0);
}
