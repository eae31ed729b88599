/**
 * Flags of `checkpoint` and `restore`, and what criu is told of a container. Pure, but for the paths that flags name.
 */
import { encodeFields, type Field } from "../container/protobuf.ts";
import { Failure } from "../failure.ts";
import type { BindStep, RootStep } from "../isolation/root-steps.ts";
import { CLONE } from "../linux/process.ts";
import type { NamespaceType } from "../spec/config.ts";
import { text, toggle, type Values } from "../term/flags.ts";
import { absolute } from "./bundle.ts";

/** Flags that both commands have. */
export const CRIU_FLAGS = {
  "image-path": text("", "DIR", "Where the images are; without it ./checkpoint"),
  "work-path": text("", "DIR", "Where criu writes its log; without it where the images are"),
  "tcp-established": toggle("", "With open TCP connections"),
  "ext-unix-sk": toggle("", "With unix sockets that lead out of the container"),
  "shell-job": toggle("", "With a terminal that is not the container's"),
  "file-locks": toggle("", "With locks of files"),
  "manage-cgroups-mode": text("", "MODE", "soft, full, strict or ignore"),
  "empty-ns": text("", "TYPE", "A namespace whose contents are left out: network"),
  "auto-dedup": toggle("", "Without pages that are there twice"),
  "lazy-pages": toggle("", "Memory is fetched when it is used"),
} as const;

/** enum criu_cg_mode. */
const CGROUP_MODES: Readonly<Record<string, number>> = { ignore: 0, soft: 3, full: 4, strict: 5 };

/** Numbers of fields of criu_opts. */
export const OPTION = {
  imagesFd: 1,
  pid: 2,
  leaveRunning: 3,
  extUnixSk: 4,
  tcpEstablished: 5,
  shellJob: 7,
  fileLocks: 8,
  logLevel: 9,
  logFile: 10,
  pageServer: 11,
  notify: 12,
  root: 13,
  parentImages: 14,
  trackMemory: 15,
  autoDedup: 16,
  workFd: 17,
  manageCgroups: 24,
  cgroupRoot: 25,
  restoreAsSibling: 26,
  inheritFd: 27,
  cgroupMode: 34,
  external: 37,
  emptyNamespaces: 38,
  joinNamespace: 39,
  freezeCgroup: 44,
  lazyPages: 48,
  statusFd: 49,
  orphanTerminal: 50,
  configFile: 51,
  lsmProfile: 53,
  lsmMountContext: 63,
} as const;

/** Everything that is told: criu's log is the only way to find out what went wrong. */
const LOG_LEVEL = 4;

type CriuFlags = Values<typeof CRIU_FLAGS>;

export interface CriuPaths {
  readonly images: string;
  readonly work: string;
}

export function criuPaths(flags: CriuFlags): CriuPaths {
  const images = absolute(flags["image-path"] ?? "checkpoint");
  return { images, work: flags["work-path"] === undefined ? images : absolute(flags["work-path"]) };
}

/** What flags say, and what is the same for every container. Throws a Failure for a mode or type that there is not. */
export function commonOptions(flags: CriuFlags): Field[] {
  const mode = CGROUP_MODES[flags["manage-cgroups-mode"] ?? "soft"];
  if (mode === undefined)
    throw new Failure("Invalid manage-cgroups-mode value", { hint: "soft, full, strict or ignore" });
  const empty = flags["empty-ns"];
  if (empty !== undefined && empty !== "network") {
    throw new Failure(`namespace "${empty}" is not supported`, { hint: "only 'network' can be left empty" });
  }
  return [
    [OPTION.logLevel, LOG_LEVEL],
    [OPTION.notify, true],
    [OPTION.orphanTerminal, true],
    [OPTION.manageCgroups, true],
    [OPTION.cgroupMode, mode],
    [OPTION.tcpEstablished, flags["tcp-established"]],
    [OPTION.extUnixSk, flags["ext-unix-sk"]],
    [OPTION.shellJob, flags["shell-job"]],
    [OPTION.fileLocks, flags["file-locks"]],
    [OPTION.autoDedup, flags["auto-dedup"]],
    [OPTION.lazyPages, flags["lazy-pages"]],
    [OPTION.emptyNamespaces, empty === undefined ? undefined : CLONE.newNet],
  ];
}

/** The annotation that names a file of criu's own options, which go before ours; and the file of those that name none, as with runc. */
export const CRIU_CONFIG_ANNOTATION = "org.criu.config";
const CRIU_CONFIG = "/etc/criu/runc.conf";

/** An empty annotation stands for no file. Pure. */
export function configFile(annotations: Readonly<Record<string, string>> | undefined): Field {
  return [OPTION.configFile, (annotations?.[CRIU_CONFIG_ANNOTATION] ?? CRIU_CONFIG) || undefined];
}

const PORT_LAST = 65535;

/** ADDRESS:PORT, where an IPv6 address may be in brackets. Throws a Failure for what is none. Pure. */
export function pageServer(text: string): Field {
  const colon = text.lastIndexOf(":");
  const address = text.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, "$1");
  const port = /^\d{1,5}$/.test(text.slice(colon + 1)) ? Number(text.slice(colon + 1)) : 0;
  if (address === "" || port < 1 || port > PORT_LAST) {
    throw new Failure("Use --page-server ADDRESS:PORT to specify page server");
  }
  return [
    OPTION.pageServer,
    encodeFields([
      [1, address],
      [2, port],
    ]),
  ];
}

/** An absolute path without `.` and `..`, as it reads: links are not followed. Pure. */
export function withoutDots(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/**
 * Throws a Failure for a place that criu would read as something else: whoever is in the container may have renamed what leads
 * to a mount. Pure.
 */
export function checkPlace(place: string | undefined, { target }: BindStep): string {
  if (place === undefined || place === "/" || place.includes("]:"))
    throw new Failure(`invalid external mount destination: ${target} leads to ${JSON.stringify(place ?? "nothing")}`);
  return place;
}

/**
 * The mounts that are the host's: criu does not look into them, and has them mounted anew. To a dump they are told by their
 * place, and named; to a restore by that name. The name is the place in config.json.
 */
export function dumpedMounts(steps: readonly RootStep[], placeOf: (step: BindStep) => string | undefined): Field[] {
  return bindsOf(steps).map((step) => [OPTION.external, `mnt[${checkPlace(placeOf(step), step)}]:${step.target}`]);
}

/** As `dumpedMounts`. */
export function restoredMounts(steps: readonly RootStep[]): Field[] {
  return bindsOf(steps).map((step) => [OPTION.external, `mnt[${step.target}]:${step.source}`]);
}

const bindsOf = (steps: readonly RootStep[]) => steps.flatMap((step) => (step.do === "bind" ? [step] : []));

export interface JoinedNamespace {
  readonly type: NamespaceType;
  readonly path: string;
}

/** Namespaces of others that criu leaves alone, by their names in criu and ours: runc's, so that images are exchangeable. */
const LEFT_ALONE: Partial<Record<NamespaceType, { readonly type: string; readonly name: string }>> = {
  network: { type: "net", name: "extRootNetNS" },
  pid: { type: "pid", name: "extRootPidNS" },
};

/** Those that criu enters by itself, and makes as part of the images else. */
const ENTERED: Partial<Record<NamespaceType, string>> = { ipc: "ipc", uts: "uts", user: "user" };

/** What a dump is told of the namespaces of others. */
export function dumpedNamespaces(
  joined: readonly JoinedNamespace[],
  inodeOf: (type: NamespaceType) => bigint | number | undefined,
): Field[] {
  return joined.flatMap(({ type }): Field[] => {
    const alone = LEFT_ALONE[type];
    const inode = alone === undefined ? undefined : inodeOf(type);
    return alone === undefined || inode === undefined
      ? []
      : [[OPTION.external, `${alone.type}[${inode}]:${alone.name}`]];
  });
}

/**
 * What a restore is told of them, and the files that criu is to have open from `firstFd` on. Throws a Failure for those that
 * criu cannot enter.
 */
export function restoredNamespaces(
  joined: readonly JoinedNamespace[],
  firstFd: number,
): { readonly fields: readonly Field[]; readonly inherited: readonly string[] } {
  const inherited: string[] = [];
  const fields = joined.map(({ type, path }): Field => {
    const alone = LEFT_ALONE[type];
    const entered = ENTERED[type];
    if (alone !== undefined) return inheritFd(alone.name, firstFd + inherited.push(path) - 1);
    if (entered === undefined) {
      throw new Failure(`criu cannot restore into a ${type} namespace of another`, {
        hint: `config.json: leave out the path of the ${type} namespace`,
      });
    }
    return [
      OPTION.joinNamespace,
      encodeFields([
        [1, entered],
        [2, path],
      ]),
    ];
  });
  return { fields, inherited };
}

function inheritFd(key: string, fd: number): Field {
  return [
    OPTION.inheritFd,
    encodeFields([
      [1, key],
      [2, fd],
    ]),
  ];
}

/** What the standard streams were when the container was written: pipes are given anew by these names. */
export function inheritedStreams(descriptors: readonly string[]): Field[] {
  return descriptors.flatMap((name, fd): Field[] => (name.startsWith("pipe:") ? [inheritFd(name, fd)] : []));
}

export function cgroupRoot(path: string): Field {
  return [OPTION.cgroupRoot, encodeFields([[2, path]])];
}
