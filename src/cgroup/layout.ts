/**
 * Which hierarchies of cgroups the host has, and where: cgroups(7).
 */
import { attempt } from "../linux/error.ts";
import { readText, readTextIfThere } from "../linux/hostpath.ts";
import { MAGIC } from "../linux/mount.ts";
import { unescapeField } from "../linux/mountinfo.ts";

/**
 * A controller of version 1. Co-mounted ones (`cpu,cpuacct`) share a mount point. A hierarchy that has a name and no
 * controller is one too, as `name=systemd`: whoever divides it takes what is not in a place of its own for its own.
 */
export interface V1Controller {
  readonly name: string;
  readonly mountpoint: string;
}

/** The unified hierarchy: where, and which controllers its topmost cgroup can hand on. */
export interface UnifiedHierarchy {
  readonly root: string;
  readonly available: readonly string[];
}

export type CgroupLayout =
  | ({ readonly kind: "v2" } & UnifiedHierarchy)
  | { readonly kind: "v1"; readonly controllers: readonly V1Controller[] }
  /** Controllers are on version 1; the unified hierarchy is there, and may have those that version 1 does not have. */
  | { readonly kind: "hybrid"; readonly controllers: readonly V1Controller[]; readonly unified: UnifiedHierarchy };

/** What a mount of version 1 may hold. Other words among its options (`xattr`) are no controllers. */
const V1_CONTROLLERS: ReadonlySet<string> = new Set([
  "blkio",
  "cpu",
  "cpuacct",
  "cpuset",
  "devices",
  "freezer",
  "hugetlb",
  "memory",
  "misc",
  "net_cls",
  "net_prio",
  "perf_event",
  "pids",
  "rdma",
]);

const NAMED = "name=";

/** Whether it limits or counts anything. */
function isController({ name }: V1Controller): boolean {
  return !name.startsWith(NAMED);
}

/** Where a mount's own fields end and those of its file system begin, in a line about a cgroup or cgroup2. */
const SEPARATOR = " - cgroup";

export interface MountedHierarchies {
  readonly controllers: readonly V1Controller[];
  /** Where the unified hierarchy is. */
  readonly unified: string | undefined;
}

/** What /proc/PID/mountinfo tells. Where a controller is mounted more than once, the first mount counts. Pure. */
export function parseMountinfo(text: string): MountedHierarchies {
  const controllers: V1Controller[] = [];
  let unified: string | undefined;
  // Of what may be thousands of mounts only ours are taken apart. Blanks within fields are escaped: this is the separator.
  for (let at = text.indexOf(SEPARATOR); at >= 0; at = text.indexOf(SEPARATOR, at + 1)) {
    const start = text.lastIndexOf("\n", at) + 1;
    const end = text.indexOf("\n", at);
    const [type, , options = ""] = text.slice(at + " - ".length, end < 0 ? text.length : end).split(" ");
    const mountpoint = unescapeField(text.slice(start, at).split(" ", 5)[4] ?? "");
    if (type === "cgroup2") unified ??= mountpoint;
    if (type !== "cgroup") continue;
    for (const name of options.split(","))
      if ((V1_CONTROLLERS.has(name) || name.startsWith(NAMED)) && !controllers.some((other) => other.name === name))
        controllers.push({ name, mountpoint });
  }
  return { controllers, unified };
}

/**
 * The layout of what is mounted. Without controllers of version 1 the unified hierarchy is all that there is.
 * @param availableIn what the topmost cgroup of the unified hierarchy there can hand on
 */
export function layoutOf(
  { controllers, unified: root }: MountedHierarchies,
  availableIn: (root: string) => readonly string[],
): CgroupLayout {
  if (root === undefined) return { kind: "v1", controllers };
  const unified = { root, available: availableIn(root) };
  return controllers.some(isController) ? { kind: "hybrid", controllers, unified } : { kind: "v2", ...unified };
}

const USUAL_ROOT = "/sys/fs/cgroup";
const STATFS_BYTES = 120;

function isUnified(path: string): boolean {
  const buffer = new Uint8Array(STATFS_BYTES);
  return attempt("statfs", path, buffer) === 0 && new DataView(buffer.buffer).getUint32(0, true) === MAGIC.cgroup2;
}

function readAvailable(root: string): string[] {
  return (readTextIfThere(`${root}/cgroup.controllers`) ?? "").split(/\s/).filter((name) => name !== "");
}

let detected: CgroupLayout | undefined;

/** The layout of this host: looked up once a process. With no cgroups mounted it is version 1 without controllers. */
export function detectLayout(): CgroupLayout {
  if (detected !== undefined) return detected;
  detected = isUnified(USUAL_ROOT)
    ? { kind: "v2", root: USUAL_ROOT, available: readAvailable(USUAL_ROOT) }
    : layoutOf(parseMountinfo(readText("/proc/self/mountinfo")), readAvailable);
  return detected;
}

/** Where each hierarchy is mounted, once each; those of version 1 first. */
export function mountpointsOf(layout: CgroupLayout): string[] {
  if (layout.kind === "v2") return [layout.root];
  const mountpoints = new Set(layout.controllers.map(({ mountpoint }) => mountpoint));
  if (layout.kind === "hybrid") mountpoints.add(layout.unified.root);
  return [...mountpoints];
}

/** The unified hierarchy, if there is one. */
export function unifiedOf(layout: CgroupLayout): UnifiedHierarchy | undefined {
  return layout.kind === "v2" ? layout : layout.kind === "hybrid" ? layout.unified : undefined;
}

/** The controllers of version 1, without hierarchies that only have a name. */
export function v1ControllersOf(layout: Exclude<CgroupLayout, { kind: "v2" }>): string[] {
  return layout.controllers.filter(isController).map(({ name }) => name);
}

/** Where the cgroup at `path` has the files of a controller; undefined if the host does not have the controller. */
export function directoryOf(layout: CgroupLayout, controller: string, path: string): string | undefined {
  if (layout.kind === "v2") return `${layout.root}${path}`;
  const found = layout.controllers.find(({ name }) => name === controller);
  if (found !== undefined) return `${found.mountpoint}${path}`;
  const above = layout.kind === "hybrid" && layout.unified.available.includes(controller) ? layout.unified : undefined;
  return above === undefined ? undefined : `${above.root}${path}`;
}
