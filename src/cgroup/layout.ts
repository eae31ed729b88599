/**
 * Which hierarchies of cgroups the host has, and where: cgroups(7).
 */
import { attempt } from "../linux/error.ts";
import { readText, readTextIfThere } from "../linux/hostpath.ts";
import { MAGIC } from "../linux/mount.ts";
import { unescapeField } from "../linux/mountinfo.ts";

/** A controller of version 1. Co-mounted ones (`cpu,cpuacct`) share a mount point. */
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
  /** Controllers are on version 1; the unified hierarchy is there, and not used for limits. */
  | { readonly kind: "hybrid"; readonly controllers: readonly V1Controller[]; readonly unified: string };

/** What a mount of version 1 may hold. Other words among its options (`xattr`, `name=systemd`) are no controllers. */
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

/** Where a mount's own fields end and those of its file system begin, in a line about a cgroup or cgroup2. */
const SEPARATOR = " - cgroup";

/** The layout as /proc/PID/mountinfo tells it. Where a controller is mounted more than once, the first mount counts. */
export function parseMountinfo(
  text: string,
): Exclude<CgroupLayout, { kind: "v2" }> | { readonly kind: "v2"; readonly root: string } {
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
      if (V1_CONTROLLERS.has(name) && !controllers.some((other) => other.name === name))
        controllers.push({ name, mountpoint });
  }
  if (unified === undefined) return { kind: "v1", controllers };
  return controllers.length === 0 ? { kind: "v2", root: unified } : { kind: "hybrid", controllers, unified };
}

const USUAL_ROOT = "/sys/fs/cgroup";
const STATFS_BYTES = 120;

function isUnified(path: string): boolean {
  const buffer = new Uint8Array(STATFS_BYTES);
  return attempt("statfs", path, buffer) === 0 && new DataView(buffer.buffer).getUint32(0, true) === MAGIC.cgroup2;
}

function unifiedLayout(root: string): CgroupLayout {
  const available = (readTextIfThere(`${root}/cgroup.controllers`) ?? "").split(/\s/).filter((name) => name !== "");
  return { kind: "v2", root, available };
}

let detected: CgroupLayout | undefined;

/** The layout of this host: looked up once a process. With no cgroups mounted it is version 1 without controllers. */
export function detectLayout(): CgroupLayout {
  if (detected !== undefined) return detected;
  if (isUnified(USUAL_ROOT)) {
    detected = unifiedLayout(USUAL_ROOT);
  } else {
    const parsed = parseMountinfo(readText("/proc/self/mountinfo"));
    detected = parsed.kind === "v2" ? unifiedLayout(parsed.root) : parsed;
  }
  return detected;
}

/** Where each hierarchy that has controllers is mounted, once each. */
export function mountpointsOf(layout: CgroupLayout): string[] {
  return layout.kind === "v2" ? [layout.root] : [...new Set(layout.controllers.map(({ mountpoint }) => mountpoint))];
}

/** Where the cgroup at `path` has the files of a controller; undefined if the host does not have the controller. */
export function directoryOf(layout: CgroupLayout, controller: string, path: string): string | undefined {
  if (layout.kind === "v2") return `${layout.root}${path}`;
  const found = layout.controllers.find(({ name }) => name === controller);
  return found === undefined ? undefined : `${found.mountpoint}${path}`;
}
