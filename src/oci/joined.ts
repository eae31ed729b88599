/**
 * Namespaces of others that a config has the container join, and that are ours: what is set there would be set on the host.
 */
import { Failure } from "../failure.ts";
import { NAMESPACE_FILES } from "../isolation/namespaces.ts";
import { statusOf } from "../linux/hostpath.ts";
import type { NamespaceType, Spec } from "../spec/config.ts";
import { namespaceOfSysctl } from "../spec/sysctls.ts";

/** Those that a config has the container join. Pure. */
export function joinedNamespaces(spec: Spec): { readonly type: NamespaceType; readonly path: string }[] {
  return (spec.linux?.namespaces ?? []).flatMap(({ type, path }) => (path ? [{ type, path }] : []));
}

/** Whether the path is that of a namespace that this process is in. */
function isOurs(type: NamespaceType, path: string): boolean {
  const there = statusOf(path);
  return there !== undefined && there.inode === statusOf(`/proc/self/ns/${NAMESPACE_FILES[type]}`)?.inode;
}

/**
 * Throws a Failure where a path leads back to the host: for the mount namespace, whose root would become the container's, and
 * for names and kernel parameters, which would be the host's (config-linux.md#sysctl).
 */
export function refuseOurOwn(spec: Spec): void {
  const { namespaces = [], sysctl = {} } = spec.linux ?? {};
  const ours = new Set<NamespaceType>();
  for (const { type, path } of namespaces) {
    if (path !== undefined && path !== "" && isOurs(type, path)) ours.add(type);
  }
  if (ours.size === 0) return;
  if (ours.has("mount")) {
    throw new Failure(
      "config.json: linux.namespaces: the mount namespace is the host's: its root cannot be the container's",
      {
        hint: "leave the path out, for a namespace of the container's own",
      },
    );
  }
  for (const name of Object.keys(sysctl)) {
    const type = namespaceOfSysctl(name);
    if (type === undefined || !ours.has(type)) continue;
    throw new Failure(`config.json: linux.sysctl["${name}"]: is not allowed in the host's ${type} namespace`);
  }
  for (const field of ["hostname", "domainname"] as const) {
    if (!ours.has("uts") || (spec[field] ?? "") === "") continue;
    throw new Failure(`config.json: ${field}: is not allowed in the host's uts namespace`);
  }
}
