/**
 * How a container sees its cgroup, as steps. Pure. Source: runtime-spec config-linux.md, "cgroup" as a type of mounts; cgroups(7).
 */
import { Failure } from "../failure.ts";
import type { MountOptions } from "./mount-options.ts";
import { bindOf, type FilesystemStep, type LinkStep, type RootStep } from "./root-steps.ts";

export type CgroupView =
  /** A new mount of the unified hierarchy, in a cgroup namespace of the container's own. */
  | { readonly kind: "v2-private" }
  /** The container's part of the host's unified hierarchy. */
  | { readonly kind: "v2-host"; readonly directory: string }
  /** One directory a hierarchy; `links` are other names of co-mounted controllers. */
  | {
      readonly kind: "v1";
      readonly isPrivate: boolean;
      readonly directories: readonly { readonly name: string; readonly source: string }[];
      readonly links: readonly { readonly name: string; readonly to: string }[];
      /** Of a hybrid layout, the container's part of the unified hierarchy. */
      readonly unified?: string;
    };

/**
 * The container sees its own cgroup and nothing above it. Of version 1 that is one bind mount a hierarchy, on a tmpfs: in a
 * cgroup namespace a new mount would be of the very same directory.
 * @param type "cgroup" is whatever the host has, "cgroup2" the unified hierarchy
 */
export function planCgroupMount(target: string, type: string, options: MountOptions, view: CgroupView): RootStep[] {
  switch (view.kind) {
    case "v2-private":
      return [unifiedMount(target, options)];
    case "v2-host":
      return [boundCgroup(view.directory, target, options)];
    case "v1": {
      if (type === "cgroup2") return [besideV1(target, options, view)];
      refuseData(target, options);
      const tmpfs: FilesystemStep = {
        ...unifiedMount(target, options),
        type: "tmpfs",
        source: "tmpfs",
        data: TMPFS_DATA,
      };
      const bound = view.directories.map(({ name, source }) => boundCgroup(source, `${target}/${name}`, options));
      const links = view.links.map(({ name, to }): LinkStep => ({ do: "link", path: `${target}/${name}`, to }));
      return [tmpfs, ...bound, ...links];
    }
  }
}

const TMPFS_DATA: readonly string[] = ["mode=755", "size=4k"];

/** The unified hierarchy on a host whose controllers are of version 1. */
function besideV1(target: string, options: MountOptions, view: CgroupView & { readonly kind: "v1" }): RootStep {
  if (view.isPrivate) return unifiedMount(target, options);
  if (view.unified !== undefined) return boundCgroup(view.unified, target, options);
  throw new Failure(`mount on ${target}: the unified hierarchy of this host would be shown whole`, {
    hint: "give the container a cgroup namespace, or mount it as the type 'cgroup'",
  });
}

function unifiedMount(target: string, options: MountOptions): FilesystemStep {
  return {
    do: "mount",
    type: "cgroup2",
    source: "cgroup",
    target,
    data: options.data,
    attributes: options.set | options.recursiveSet,
    refuseLinks: false,
    ...(options.propagation === undefined ? {} : { propagation: options.propagation }),
    ...(options.propagationRecursive ? { propagationRecursive: true } : {}),
  };
}

function boundCgroup(source: string, target: string, options: MountOptions): RootStep {
  refuseData(target, options);
  const { set, recursiveSet, propagation, propagationRecursive } = options;
  const bound = bindOf(source, target, set | recursiveSet);
  return propagation === undefined ? bound : { ...bound, propagation, propagationRecursive };
}

/** What is bound is a mount of the host's: how its file system behaves is not the container's to say. */
function refuseData(target: string, { data }: MountOptions): void {
  if (data.length === 0) return;
  throw new Failure(`mount on ${target}: unknown option '${data[0]}'`, {
    hint: "a cgroup of the host's is shown, which cannot have options of its own",
  });
}
