/**
 * What the kernel and the disk hold of containers, as sets of lines that can be compared: a leak is a line that was not
 * there before. The tables are the machine's: tests run one after another (tools/test puts them in namespaces of their own).
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as after } from "node:timers/promises";

export type Table = "mounts" | "cgroups" | "links" | "routes" | "rules" | "processes" | "namespaces" | "files";
export type Tables = Record<Table, string[]>;

/** Directories whose files belong to the engine under test: its state root and its runtime root. */
export type Roots = {
  root: string;
  run: string;
  /** How the name of the cgroup begins in which its containers are; `mycontainer` unless told. */
  cgroup?: string;
};

const CGROUP_ROOT = "/sys/fs/cgroup";
const CGROUP_DEPTH_MOST = 6;
const NAMESPACES = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
/** Images stay, locks are empty files that stay: neither is a leak. */
const STAYING_FILES = [/^root\/images\//, /^run\/.*lock$/, /^root\/.*lock$/];
/**
 * The kernel takes some things down after the call that did away with them has returned: network namespaces with
 * their devices (a work queue), cgroups whose last process is being reaped. No event tells of their end, so this one place
 * looks again for a while.
 */
const SETTLE_MOST_MS = 3000;
const SETTLE_STEP_MS = 20;

function linesOf(file: string, ...args: string[]): string[] {
  return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
    .split("\n")
    .filter((line) => line !== "");
}

/** undefined if it vanished while we looked, as processes and cgroups do. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** "mount point (type)" of each line of a mountinfo file (proc_pid_mountinfo(5)). */
export function parseMounts(mountinfo: string): string[] {
  return mountinfo
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [before = "", behind = ""] = line.split(" - ");
      return `${before.split(" ")[4]} (${behind.split(" ")[0]})`;
    });
}

/** Directories of containers in every hierarchy: what lies below one whose name begins so. */
function cgroups(prefix: string): string[] {
  const found: string[] = [];
  const walk = (path: string, depth: number, ours: boolean): void => {
    const entries = unlessGone(() => readdirSync(path, { withFileTypes: true })) ?? [];
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const child = join(path, entry.name);
      const isOurs = ours || entry.name.startsWith(prefix);
      // The parent itself may stay, as the hierarchy's own directories do.
      if (ours) found.push(child);
      if (depth < CGROUP_DEPTH_MOST) walk(child, depth + 1, isOurs);
    }
  };
  walk(CGROUP_ROOT, 0, false);
  return found;
}

type Process = { pid: string; name: string; parent: string; state: string; ours: boolean; namespaces: string[] };

/** `state` and `parent` of a stat file's text (proc_pid_stat(5)): the name in it may hold anything but its last ")". */
export function parseStat(text: string): { name: string; state: string; parent: string } {
  const [open, close] = [text.indexOf("("), text.lastIndexOf(")")];
  const [state = "?", parent = "0"] = text.slice(close + 2).split(" ");
  return { name: text.slice(open + 1, close), state, parent };
}

function processes(roots: Roots): Process[] {
  const own = new Set(NAMESPACES.map((kind) => readlinkSync(`/proc/self/ns/${kind}`)));
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const process = unlessGone(() => {
        const stat = parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
        const environment = unlessGone(() => readFileSync(`/proc/${pid}/environ`, "latin1")) ?? "";
        const namespaces = NAMESPACES.flatMap(
          (kind) => unlessGone(() => readlinkSync(`/proc/${pid}/ns/${kind}`)) ?? [],
        );
        const foreign = namespaces.filter((name) => !own.has(name));
        const ours = environment.includes(roots.run) || foreign.length > 0;
        return { pid, ...stat, ours, namespaces: foreign };
      });
      return process === undefined ? [] : [process];
    });
}

function files(roots: Roots): string[] {
  return Object.entries({ root: roots.root, run: roots.run }).flatMap(([label, directory]) => {
    const entries = unlessGone(() => readdirSync(directory, { recursive: true, withFileTypes: true })) ?? [];
    return entries
      .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
      .filter(({ entry, path }) => !entry.isDirectory() || isContainerDirectory(label, relative(directory, path)))
      .map(({ entry, path }) => {
        const bytes = entry.isFile() ? ` (${unlessGone(() => statSync(path).size) ?? 0} bytes)` : "";
        return { name: `${label}/${relative(directory, path)}`, bytes };
      })
      .filter(({ name }) => !STAYING_FILES.some((pattern) => pattern.test(name)))
      .map(({ name, bytes }) => name + bytes);
  });
}

/** <root>/<id> and <run>/<id>: an empty one is a leak too. */
function isContainerDirectory(label: string, path: string): boolean {
  return !path.includes("/") && !(label === "root" && ["images", "names", "networks", "volumes"].includes(path));
}

/** One look at everything. */
export function kernelTables(roots: Roots): Tables {
  const found = processes(roots);
  return {
    mounts: parseMounts(readFileSync("/proc/self/mountinfo", "utf8")),
    cgroups: cgroups(roots.cgroup ?? "mycontainer"),
    links: linesOf("ip", "-o", "link").map((line) => (line.split(": ")[1] ?? line).split("@")[0] ?? line),
    // Whether a bridge has a link that is up changes by itself, some time after its last container has gone.
    routes: linesOf("ip", "-o", "route").map((line) => line.replace(" linkdown", "")),
    rules: linesOf("nft", "--stateless", "list", "ruleset"),
    processes: found.filter(({ ours }) => ours).map(({ pid, name, state }) => `${pid} ${name} (${state})`),
    namespaces: [...new Set(found.flatMap(({ namespaces }) => namespaces))],
    files: files(roots),
  };
}

/** What is in `later` and was not in `earlier`, as "table: line"; a line counts as often as it occurs. */
export function newIn(later: Tables, earlier: Tables): string[] {
  return (Object.keys(later) as Table[]).flatMap((table) => {
    const left = new Map<string, number>();
    for (const line of earlier[table]) left.set(line, (left.get(line) ?? 0) + 1);
    return later[table]
      .filter((line) => {
        const count = left.get(line) ?? 0;
        left.set(line, count - 1);
        return count <= 0;
      })
      .map((line) => `${table}: ${line.trim()}`);
  });
}

/**
 * The leaks since `before`, after the kernel had time to settle.
 * @param counts which of them: others may use the machine, too
 */
export async function leaksSince(
  before: Tables,
  roots: Roots,
  counts: (leak: string) => boolean = () => true,
): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MOST_MS;
  for (;;) {
    const leaks = newIn(kernelTables(roots), before).filter(counts);
    if (leaks.length === 0 || performance.now() > deadline) return leaks;
    await after(SETTLE_STEP_MS);
  }
}

export async function assertNoLeaks(before: Tables, roots: Roots): Promise<void> {
  assert.deepEqual(await leaksSince(before, roots), [], "something was left behind");
}

/** Open descriptors of a process, as "number -> what it is". */
export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const target = unlessGone(() => readlinkSync(`/proc/${pid}/fd/${fd}`));
    return target === undefined ? [] : [`${fd} -> ${target}`];
  });
}

/** The children of a process, by pid. */
export function childrenOf(pid: number): number[] {
  const text = unlessGone(() => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")) ?? "";
  return text.split(" ").filter(Boolean).map(Number);
}
