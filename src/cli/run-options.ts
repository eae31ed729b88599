/**
 * What the flags of `run` mean: their values, parsed and checked against each other, as options.
 */
import type { LimitOptions, MountRequest, NamespaceChoice, NetworkChoice, RunOptions } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { parseUlimit } from "../isolation/rlimits.ts";
import { parseSignal } from "../linux/signal.ts";
import type { Values } from "../term/flags.ts";
import { type EnvironmentContext, entriesOfFile, environmentOf } from "./environment.ts";
import { healthcheckOf } from "./health-flags.ts";
import { parseMount, parseTmpfs, parseVolume, refuseSharedTargets } from "./mount-values.ts";
import type { RUN_FLAGS } from "./run-flags.ts";
import {
  LONGEST_STOP_SECONDS,
  MOST_PROCESSES,
  parseCpus,
  parseCpuset,
  parseDevice,
  parseDeviceRule,
  parseKeyValue,
  parseMemory,
  parseSeconds,
  parseSize,
  parseWhole,
} from "./values.ts";

export type RunFlags = Values<typeof RUN_FLAGS>;

/** What flag values need from outside: given, so that this stays pure. */
export interface FlagContext extends EnvironmentContext {
  readonly cwd: string;
}

/** Throws a Failure for a value that is malformed, and for flags that contradict each other. */
export function runOptionsOf(flags: RunFlags, words: readonly string[], context: FlagContext): RunOptions {
  const [image, ...command] = words;
  if (image === undefined)
    throw new Failure("'run' needs an image", { hint: "as in: mycontainer run busybox /bin/sh" });
  refuseContradictions(flags);
  const rootfs = flags.rootfs ?? false;
  return present({
    image: rootfs && !image.startsWith("/") ? `${context.cwd}/${image}` : image,
    rootfs,
    command,
    entrypoint: given(flags.entrypoint, (value) => (value === "" ? [] : [value])),
    name: flags.name,
    hostname: given(flags.hostname, parseHostname),
    domainname: flags.domainname,
    detach: flags.detach ?? false,
    interactive: flags.interactive,
    tty: flags.tty,
    remove: flags.rm,
    init: flags.init ?? false,
    privileged: flags.privileged ?? false,
    readonlyRoot: flags["read-only"] ?? false,
    env: environmentOf(flags.env, flags["env-file"], context),
    workdir: given(flags.workdir, parseWorkdir),
    user: flags.user,
    groupAdd: flags["group-add"],
    labels: labelsOf(flags, context),
    healthcheck: healthcheckOf(flags),
    limits: limitsOf(flags),
    rlimits: flags.ulimit.map(parseUlimit),
    shmSizeBytes: given(flags["shm-size"], (value) => parseSize(value, "size of /dev/shm")),
    mounts: mountsOf(flags, context.cwd),
    devices: flags.device.map(parseDevice),
    deviceRules: flags["device-cgroup-rule"].map(parseDeviceRule),
    network: parseNetwork(flags.network ?? "bridge"),
    publish: flags.publish,
    publishAll: flags["publish-all"] ?? false,
    expose: flags.expose,
    ip: flags.ip,
    mac: flags["mac-address"],
    dns: flags.dns,
    dnsSearch: flags["dns-search"],
    dnsOptions: flags["dns-option"],
    addHosts: flags["add-host"],
    pid: parseNamespace("pid", flags.pid, true),
    ipc: parseNamespace("ipc", flags.ipc, true),
    uts: parseNamespace("uts", flags.uts, false),
    cgroupns: given(flags.cgroupns, (value) => parseNamespace("cgroupns", value, false)),
    userns: parseUserns(flags.userns),
    capAdd: flags["cap-add"],
    capDrop: flags["cap-drop"],
    securityOpts: flags["security-opt"],
    sysctls: Object.fromEntries(flags.sysctl.map(parseSysctl)),
    oomScoreAdj: given(flags["oom-score-adj"], (value) => parseWhole(value, "OOM score", -1000, 1000)),
    stopSignal: given(flags["stop-signal"], parseStopSignal),
    stopTimeoutSeconds: given(flags["stop-timeout"], (value) =>
      parseWhole(value, "stop timeout", -1, LONGEST_STOP_SECONDS),
    ),
    timeoutSeconds: given(flags.timeout, (value) => parseSeconds(value, "timeout")),
    sigProxy: flags["sig-proxy"] ?? true,
    cidFile: flags.cidfile,
  });
}

/** The value of a flag that was given, converted. */
function given<V, R>(value: V | undefined, convert: (value: V) => R): R | undefined {
  return value === undefined ? undefined : convert(value);
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Without the properties that are undefined: the types tell "not asked for" from any value. */
function present<T extends object>(all: T): Present<T>;
function present(all: Readonly<Record<string, unknown>>): object {
  const found: Record<string, unknown> = {};
  for (const key in all) if (all[key] !== undefined) found[key] = all[key];
  return found;
}

/** Refuses flags of which one would make the other mean nothing. */
function refuseContradictions(flags: RunFlags): void {
  const contradict = (one: string, other: string, hint: string): Failure =>
    new Failure(`--${one} and --${other} contradict each other`, { hint });
  // Nobody could write to it. With a terminal it is idle until somebody does, which is what `-dit` is used for.
  if (flags.detach === true && flags.interactive === true && flags.tty !== true)
    throw contradict("detach", "interactive", "leave one of them out, or add --tty");
  for (const other of ["cpu-quota", "cpu-period"] as const) {
    if (flags.cpus !== undefined && flags[other] !== undefined)
      throw contradict("cpus", other, `say it with --cpus alone, or with --cpu-period and --cpu-quota`);
  }
  if (flags.format !== undefined && flags["dry-run"] !== true)
    throw new Failure("--format is how --dry-run prints the plan", { hint: "add --dry-run, or leave out --format" });
  if (flags.trace === true && flags["dry-run"] === true)
    throw contradict("trace", "dry-run", "nothing is done in a dry run that could be traced");
  for (const other of ["hostname", "domainname"] as const) {
    if (flags.uts === "host" && flags[other] !== undefined)
      throw contradict(other, "uts host", "the name would be changed on the host");
  }
  const network = flags.network ?? "bridge";
  if (flags["publish-all"] === true && network !== "bridge" && network !== "default")
    throw contradict(
      "publish-all",
      `network ${network}`,
      "only ports of a network of the container's own are published",
    );
  if (flags.publish.length > 0 && ["none", "host"].includes(network))
    throw contradict("publish", `network ${network}`, "only ports of a network of the container's own are published");
  if (!network.startsWith("container:")) return;
  if (flags.publish.length > 0)
    throw contradict("publish", "network container", "publish the ports of the other container");
  for (const other of ["dns", "dns-search", "dns-option", "add-host"] as const) {
    if (flags[other].length > 0)
      throw contradict(other, "network container", "its names are those of the other container: set them there");
  }
}

function labelsOf(flags: RunFlags, { readFile }: FlagContext): Record<string, string> {
  const fromFiles = flags["label-file"].flatMap((path) => entriesOfFile(path, readFile(path)));
  return Object.fromEntries(
    [...fromFiles, ...flags.label].map((entry) => {
      const [name, value] = parseKeyValue(entry, "label");
      return [name, value ?? ""];
    }),
  );
}

function mountsOf(flags: RunFlags, cwd: string): MountRequest[] {
  const mounts = [
    ...flags.volume.map((value) => parseVolume(value, cwd)),
    ...flags.mount.map(parseMount),
    ...flags.tmpfs.map(parseTmpfs),
  ];
  refuseSharedTargets(mounts);
  return mounts;
}

/** Flags of `run` and `update`, of which each sets a limit. */
type LimitFlags = Partial<
  Pick<
    RunFlags,
    | "memory"
    | "memory-swap"
    | "memory-reservation"
    | "memory-swappiness"
    | "cpus"
    | "cpu-period"
    | "cpu-quota"
    | "cpu-shares"
    | "cpuset-cpus"
    | "cpuset-mems"
    | "pids-limit"
    | "blkio-weight"
    | "oom-kill-disable"
  >
>;

export function limitsOf(flags: LimitFlags): LimitOptions {
  return present({
    memoryBytes: given(flags.memory, (value) => parseMemory(value)),
    memorySwapBytes: given(flags["memory-swap"], (value) => (value === "-1" ? -1 : parseSize(value, "swap size"))),
    memoryReservationBytes: given(flags["memory-reservation"], (value) => parseSize(value, "memory reservation")),
    memorySwappiness: given(flags["memory-swappiness"], (value) => parseWhole(value, "swappiness", 0, 100)),
    cpus: given(flags.cpus, (value) => parseCpus(value)),
    cpuPeriodMicros: given(flags["cpu-period"], (value) => parseWhole(value, "CPU period", 1000, 1_000_000)),
    cpuQuotaMicros: given(flags["cpu-quota"], (value) => parseWhole(value, "CPU quota", 1000, Number.MAX_SAFE_INTEGER)),
    cpuShares: given(flags["cpu-shares"], (value) => parseWhole(value, "number of CPU shares", 0, 262_144)),
    cpusetCpus: given(flags["cpuset-cpus"], (value) => parseCpuset(value, "list of cores")),
    cpusetMems: given(flags["cpuset-mems"], (value) => parseCpuset(value, "list of memory nodes")),
    pids: given(flags["pids-limit"], (value) =>
      Math.max(0, parseWhole(value, "number of processes", -1, MOST_PROCESSES)),
    ),
    blkioWeight: given(flags["blkio-weight"], (value) => parseWhole(value, "disk weight", 10, 1000)),
    oomKillDisable: flags["oom-kill-disable"],
  });
}

function parseHostname(input: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}$/.test(input) && !input.endsWith("-")) return input;
  throw new Failure(`bad host name '${input}'`, { hint: "use letters, digits, dots and dashes, at most 63" });
}

function parseWorkdir(input: string): string {
  if (input.startsWith("/")) return input;
  throw new Failure(`working directory '${input}' is not an absolute path`, { hint: "begin it with /" });
}

function parseStopSignal(input: string): string {
  if (parseSignal(input) !== undefined) return input;
  throw new Failure(`unknown stop signal '${input}'`, { hint: "use a name or number, as in SIGTERM or 15" });
}

function containerIn(input: string): string | undefined {
  const prefix = "container:";
  return input.startsWith(prefix) && input.length > prefix.length ? input.slice(prefix.length) : undefined;
}

function parseNetwork(input: string): NetworkChoice {
  if (input === "bridge" || input === "default") return { kind: "bridge" };
  if (input === "none" || input === "host") return { kind: input };
  const container = containerIn(input);
  if (container !== undefined) return { kind: "container", container };
  throw new Failure(`there is no network '${input}'`, { hint: "use bridge, none, host or container:NAME" });
}

function parseNamespace(name: string, input: string | undefined, canJoin: boolean): NamespaceChoice {
  if (input === undefined || input === "" || input === "private") return { kind: "private" };
  if (input === "host") return { kind: "host" };
  const container = containerIn(input);
  if (canJoin && container !== undefined) return { kind: "container", container };
  throw new Failure(`bad value '${input}' of --${name}`, {
    hint: `use private, host${canJoin ? " or container:NAME" : ""}`,
  });
}

function parseUserns(input: string | undefined): boolean {
  if (input === undefined || input === "host" || input === "") return false;
  if (input === "auto" || input === "private") return true;
  throw new Failure(`bad value '${input}' of --userns`, { hint: "use auto or host" });
}

function parseSysctl(input: string): [string, string] {
  const [name, value] = parseKeyValue(input, "sysctl");
  if (value === undefined)
    throw new Failure(`bad sysctl '${input}'`, { hint: "use NAME=VALUE, as in net.core.somaxconn=1024" });
  return [name, value];
}
