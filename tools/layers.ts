// The layering of the architecture, checked: imports run downwards only, and a few modules have few importers.
// Type-only imports count too: they are dependencies of the reader. esbuild's own view of the graph is compared with
// the one read here, so that an import which this file does not see fails the check.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Lower numbers are below; a module imports from its own folder or from a layer below. */
const LAYERS: Record<string, number> = {
  "failure.ts": 0,
  spec: 1,
  linux: 1,
  isolation: 2,
  cgroup: 2,
  network: 2,
  registry: 2,
  image: 3,
  plan: 4,
  container: 5,
  term: 5,
  build: 6,
  cli: 7,
  oci: 7,
  "main.ts": 8,
};
/** Folders that import from nothing in src but what is listed. */
const ONLY_FROM: Record<string, string[]> = {
  spec: ["spec", "failure.ts"],
  "failure.ts": [],
  term: ["term", "linux", "failure.ts"],
};
/** Modules or folders that only the listed folders or modules import. */
const ONLY_BY: Record<string, string[]> = {
  term: ["term", "cli", "oci"],
  cli: ["cli", "main.ts"],
  oci: ["oci", "main.ts"],
};
/**
 * linux/hostpath.ts resolves paths as the host does: never to be used for a path in a container's root. These modules of
 * isolation/ read files of the host only.
 */
const HOST_PATHS = "linux/hostpath.ts";
const MAY_USE_HOST_PATHS_IN_ISOLATION = [
  "isolation/overlay.ts", // our own directory, to come back to
  "isolation/labels.ts", // /sys of the host: which security modules are active
  "isolation/idmap.ts", // /proc/PID/uid_map and /etc/subuid of the host
  "isolation/idmap-layers.ts", // /proc/PID/ns/user of a child of ours
  "isolation/no-pivot.ts", // the mounts that are the host's until the root is another
  "isolation/oom-score.ts", // /proc/PID/oom_score_adj of a child of ours
  "isolation/time-offsets.ts", // /proc/PID/timens_offsets of a child of ours
  "isolation/intel-rdt.ts", // resctrl, which is the host's alone
];

const IMPORT =
  /(?:^|[;}\n])\s*(?:import|export)\s(?:[^"';]*?\sfrom\s)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/g;

/** The relative imports in a module's text, as paths below src. */
export function importsOf(path: string, text: string): string[] {
  const code = text.replace(/^\s*\*.*$|^\s*\/\*.*$|^\s*\/\/.*$/gm, "");
  return [...code.matchAll(IMPORT)]
    .map(([, plain, dynamic]) => plain ?? dynamic ?? "")
    .filter((name) => name.startsWith("."))
    .map((name) => normalize(join(dirname(path), name)));
}

const folderOf = (path: string) => path.split("/")[0] ?? path;
const isIn = (path: string, places: string[]) => places.includes(path) || places.includes(folderOf(path));

/** What is wrong with one import; undefined if nothing is. */
export function faultOf(from: string, to: string, hostPathUsers = MAY_USE_HOST_PATHS_IN_ISOLATION): string | undefined {
  const [above, below] = [LAYERS[folderOf(from)], LAYERS[folderOf(to)]];
  if (above === undefined) return `${from}: ${folderOf(from)} has no layer in tools/layers.ts`;
  if (below === undefined) return `${from} imports ${to}: ${folderOf(to)} has no layer in tools/layers.ts`;
  if (!to.endsWith(".ts")) return `${from} imports ${to}: without its .ts`;
  const own = folderOf(from);
  const only = ONLY_FROM[own];
  if (only !== undefined && !isIn(to, only))
    return `${from} imports ${to}: ${own} imports from ${only.join(", ") || "nothing"}`;
  const users = ONLY_BY[folderOf(to)];
  if (users !== undefined && !isIn(from, users)) return `${from} imports ${to}: only ${users.join(", ")} may`;
  if (own !== folderOf(to) && below >= above) return `${from} imports ${to}: not downwards`;
  if (to === HOST_PATHS && own === "isolation" && !hostPathUsers.includes(from)) {
    return `${from} imports ${to}: paths in a container's root are resolved by linux/rootpath.ts`;
  }
  return undefined;
}

/** Modules and what they import, as paths below src. */
type Graph = Map<string, string[]>;

/** A cycle in the graph as a list of modules, or undefined. */
export function findCycle(graph: Graph): string[] | undefined {
  const done = new Set<string>();
  const walk = (module: string, trail: string[]): string[] | undefined => {
    const at = trail.indexOf(module);
    if (at >= 0) return [...trail.slice(at), module];
    if (done.has(module)) return undefined;
    for (const next of graph.get(module) ?? []) {
      const cycle = walk(next, [...trail, module]);
      if (cycle !== undefined) return cycle;
    }
    done.add(module);
    return undefined;
  };
  for (const module of graph.keys()) {
    const cycle = walk(module, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

/** What esbuild sees and the text does not have: an error of IMPORT above. */
async function overlooked(source: string, graph: Graph): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [...graph.keys()].map((path) => join(source, path)),
    outdir: "out",
    absWorkingDir: source,
    bundle: true,
    splitting: true,
    format: "esm",
    write: false,
    metafile: true,
    logLevel: "silent",
  });
  return Object.entries(metafile.inputs).flatMap(([path, { imports }]) =>
    imports
      .filter((one) => !one.external && !one.path.includes("node_modules/") && !graph.get(path)?.includes(one.path))
      .map((one) => `${path} imports ${one.path}: not seen by tools/layers.ts`),
  );
}

async function main(): Promise<void> {
  const source = fileURLToPath(new URL("../src", import.meta.url));
  const files = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(source, join(entry.parentPath, entry.name)))
    .sort();
  const graph = new Map(files.map((path) => [path, importsOf(path, readFileSync(join(source, path), "utf8"))]));
  const faults = [...graph].flatMap(([from, imports]) => imports.map((to) => faultOf(from, to)));
  const cycle = findCycle(graph);
  if (cycle !== undefined) faults.push(`a cycle: ${cycle.join(" -> ")}`);
  // An import of what is not there is the compiler's to report.
  faults.push(...(await overlooked(source, graph).catch((error: Error) => [error.message])));
  const found = faults.filter((fault) => fault !== undefined);
  for (const fault of found) console.error(`layers: ${fault}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
