/**
 * The flags of `run`, and what they mean.
 */
import type { LimitOptions, NamespaceChoice, NetworkChoice, RunOptions } from "../container/options.ts";
import { Failure } from "../failure.ts";
import { parseUlimit } from "../isolation/rlimits.ts";
import { type EnvironmentContext, environmentOf } from "./environment.ts";
import { list, text, toggle, type Values } from "./flags.ts";
import { parseDevice, parseMount, parseOomScore, parseTmpfs, parseVolume } from "./mount-values.ts";
import { parseCpus, parseCpuset, parseKeyValue, parseSeconds, parseSize, parseWhole } from "./values.ts";

export const RUN_FLAGS = {
  "add-host": list("", "NAME:ADDRESS", "Add a line to /etc/hosts"),
  "blkio-weight": text("", "WEIGHT", "Share of disk bandwidth, 10 to 1000"),
  "cap-add": list("", "CAPABILITY", "Add a capability"),
  "cap-drop": list("", "CAPABILITY", "Take a capability away"),
  cgroupns: text("", "host|private", "Cgroup namespace"),
  cidfile: text("", "FILE", "Write the container's id to a file"),
  "cpu-period": text("", "MICROSECONDS", "Period that --cpu-quota is of"),
  "cpu-quota": text("", "MICROSECONDS", "CPU time in each period"),
  "cpu-shares": text("c", "SHARES", "Share of CPU time where it is short; 1024 is one share"),
  cpus: text("", "CORES", "CPU time in cores, as in 0.5; 0 is no limit"),
  "cpuset-cpus": text("", "LIST", "Cores to run on, as in 0-3,7"),
  "cpuset-mems": text("", "LIST", "Memory nodes to use"),
  detach: toggle("d", "Run in the background and print the id"),
  device: list("", "HOST[:PATH[:rwm]]", "Give access to a device of the host"),
  dns: list("", "ADDRESS", "Name server"),
  "dns-option": list("", "OPTION", "Option of resolv.conf"),
  "dns-search": list("", "DOMAIN", "Domain to search names in"),
  domainname: text("", "NAME", "NIS domain name"),
  "dry-run": toggle("", "Print the plan, and touch nothing"),
  entrypoint: text("", "COMMAND", "Command in place of the image's entrypoint"),
  env: list("e", "NAME=VALUE", "Set an environment variable"),
  "env-file": list("", "FILE", "Read environment variables from a file"),
  format: text("", "tree|json", "How --dry-run prints the plan"),
  "group-add": list("", "GROUP", "Add a group to the user's"),
  hostname: text("h", "NAME", "Host name (the default is the id)"),
  init: toggle("", "Run an init that passes signals on and reaps processes"),
  interactive: toggle("i", "Pass standard input on"),
  ip: text("", "ADDRESS", "Address in the network"),
  ipc: text("", "private|host|container:NAME", "IPC namespace"),
  label: list("l", "NAME=VALUE", "Set a label"),
  "mac-address": text("", "ADDRESS", "Link address, as in 02:42:ac:10:00:02"),
  memory: text("m", "SIZE", "Memory limit, as in 512m; 0 is no limit"),
  "memory-reservation": text("", "SIZE", "Memory that is kept for it when memory is short"),
  "memory-swap": text("", "SIZE", "Limit of memory and swap together; -1 is no limit of swap"),
  "memory-swappiness": text("", "0-100", "How readily it is swapped out"),
  mount: list("", "type=...,target=...", "Mount a directory, volume or tmpfs"),
  name: text("", "NAME", "Name of the container"),
  network: text("", "bridge|none|host|container:NAME", "Network"),
  "oom-kill-disable": toggle("", "Stop it, and do not kill it, when memory runs out"),
  "oom-score-adj": text("", "SCORE", "How readily it is killed when memory runs out, -1000 to 1000"),
  pid: text("", "private|host|container:NAME", "PID namespace"),
  "pids-limit": text("", "NUMBER", "Number of processes; 0 or -1 is no limit"),
  privileged: toggle("", "Give all capabilities and devices: root in it is root of the host"),
  publish: list("p", "[[ADDRESS:]HOST:]PORT[/udp]", "Make a port reachable on the host"),
  quiet: toggle("q", "Print no progress"),
  "read-only": toggle("", "Make the root file system read-only"),
  rm: toggle("", "Remove it at its end (the default in the foreground)"),
  rootfs: toggle("", "The first word is no image but a directory of the host: the root as it is"),
  "security-opt": list("", "OPTION", "no-new-privileges, seccomp=FILE, apparmor=, label=, systempaths=unconfined"),
  "shm-size": text("", "SIZE", "Size of /dev/shm"),
  "sig-proxy": toggle("", "Pass signals on to it (the default)"),
  "stop-signal": text("", "SIGNAL", "Signal that asks it to end"),
  "stop-timeout": text("", "SECONDS", "Time to end before it is killed"),
  sysctl: list("", "NAME=VALUE", "Set a kernel parameter of its namespaces"),
  timeout: text("", "SECONDS", "Kill it after this time"),
  tmpfs: list("", "PATH[:OPTIONS]", "Mount a tmpfs"),
  trace: toggle("", "Print every kernel call that is made for it"),
  tty: toggle("t", "Give it a terminal"),
  ulimit: list("", "NAME=SOFT[:HARD]", "Set a resource limit"),
  user: text("u", "USER[:GROUP]", "User, by name or number"),
  userns: text("", "auto|host", "User ids of its own: its root is not root of the host"),
  uts: text("", "private|host", "UTS namespace"),
  volume: list("v", "SOURCE:PATH[:ro]", "Mount a directory of the host, or a volume"),
  workdir: text("w", "PATH", "Working directory"),
} as const;

const LEAST_MEMORY_BYTES = 6 * 1024 * 1024;

/** What flag values need from outside: given, so that this stays pure. */
export interface FlagContext extends EnvironmentContext {
  readonly cwd: string;
}

export function runOptionsOf(
  flags: Values<typeof RUN_FLAGS>,
  words: readonly string[],
  context: FlagContext,
): RunOptions {
  const [image, ...command] = words;
  if (image === undefined)
    throw new Failure("'run' needs an image", { hint: "as in: mycontainer run busybox /bin/sh" });
  if (flags.detach === true && flags["rm"] === undefined && flags.interactive === true && flags.tty === undefined) {
    throw new Failure("--detach and --interactive contradict each other", { hint: "leave one of them out" });
  }
  const rootfs = flags.rootfs ?? false;
  return {
    image: rootfs ? absolutePath(image, context.cwd) : image,
    rootfs,
    command,
    ...optional("entrypoint", flags.entrypoint, (value) => (value === "" ? [] : [value])),
    ...optional("name", flags.name, (value) => value),
    ...optional("hostname", flags.hostname, parseHostname),
    ...optional("domainname", flags.domainname, (value) => value),
    detach: flags.detach ?? false,
    ...optional("interactive", flags.interactive, (value) => value),
    ...optional("tty", flags.tty, (value) => value),
    ...optional("remove", flags.rm, (value) => value),
    init: flags.init ?? false,
    privileged: flags.privileged ?? false,
    readonlyRoot: flags["read-only"] ?? false,
    env: environmentOf(flags.env, flags["env-file"], context),
    ...optional("workdir", flags.workdir, parseWorkdir),
    ...optional("user", flags.user, (value) => value),
    groupAdd: flags["group-add"],
    labels: Object.fromEntries(
      flags.label.map((entry) => [parseKeyValue(entry, "label")[0], parseKeyValue(entry, "label")[1] ?? ""]),
    ),
    limits: limitsOf(flags),
    rlimits: flags.ulimit.map(parseUlimit),
    ...optional("shmSizeBytes", flags["shm-size"], (value) => parseSize(value, "size of /dev/shm")),
    mounts: [
      ...flags.volume.map((value) => parseVolume(value, context.cwd)),
      ...flags.mount.map(parseMount),
      ...flags.tmpfs.map(parseTmpfs),
    ],
    devices: flags.device.map(parseDevice),
    network: parseNetwork(flags.network ?? "bridge"),
    publish: flags.publish,
    ...optional("ip", flags.ip, (value) => value),
    ...optional("mac", flags["mac-address"], (value) => value),
    dns: flags.dns,
    dnsSearch: flags["dns-search"],
    dnsOptions: flags["dns-option"],
    addHosts: flags["add-host"],
    pid: parseNamespace("pid", flags.pid, true),
    ipc: parseNamespace("ipc", flags.ipc, true),
    uts: parseNamespace("uts", flags.uts, false),
    ...optional("cgroupns", flags.cgroupns, (value) => parseNamespace("cgroupns", value, false)),
    userns: parseUserns(flags.userns),
    capAdd: flags["cap-add"],
    capDrop: flags["cap-drop"],
    securityOpts: flags["security-opt"],
    sysctls: Object.fromEntries(flags.sysctl.map(parseSysctl)),
    ...optional("oomScoreAdj", flags["oom-score-adj"], parseOomScore),
    ...optional("stopSignal", flags["stop-signal"], (value) => value),
    ...optional("stopTimeoutSeconds", flags["stop-timeout"], (value) => parseWhole(value, "stop timeout", -1, 1e6)),
    ...optional("timeoutSeconds", flags.timeout, (value) => parseSeconds(value, "timeout")),
    sigProxy: flags["sig-proxy"] ?? true,
    ...optional("cidFile", flags.cidfile, (value) => value),
  };
}

/** A property that is there only if its value is: the types tell "not asked" from any value. */
function optional<K extends string, V, R>(key: K, value: V | undefined, convert: (value: V) => R): { [Key in K]?: R } {
  return (value === undefined ? {} : { [key]: convert(value) }) as { [Key in K]?: R };
}

function limitsOf(flags: Values<typeof RUN_FLAGS>): LimitOptions {
  return {
    ...optional("memoryBytes", flags.memory, parseMemory),
    ...optional("memorySwapBytes", flags["memory-swap"], (value) =>
      value === "-1" ? -1 : parseSize(value, "swap size"),
    ),
    ...optional("memoryReservationBytes", flags["memory-reservation"], (value) =>
      parseSize(value, "memory reservation"),
    ),
    ...optional("memorySwappiness", flags["memory-swappiness"], (value) => parseWhole(value, "swappiness", 0, 100)),
    ...optional("cpus", flags.cpus, parseCpus),
    ...optional("cpuPeriodMicros", flags["cpu-period"], (value) => parseWhole(value, "CPU period", 1000, 1_000_000)),
    ...optional("cpuQuotaMicros", flags["cpu-quota"], (value) =>
      parseWhole(value, "CPU quota", 1000, Number.MAX_SAFE_INTEGER),
    ),
    ...optional("cpuShares", flags["cpu-shares"], (value) => parseWhole(value, "number of CPU shares", 0, 262_144)),
    ...optional("cpusetCpus", flags["cpuset-cpus"], (value) => parseCpuset(value, "list of cores")),
    ...optional("cpusetMems", flags["cpuset-mems"], (value) => parseCpuset(value, "list of memory nodes")),
    ...optional("pids", flags["pids-limit"], (value) =>
      Math.max(0, parseWhole(value, "number of processes", -1, 4_194_304)),
    ),
    ...optional("blkioWeight", flags["blkio-weight"], (value) => parseWhole(value, "disk weight", 10, 1000)),
    ...optional("oomKillDisable", flags["oom-kill-disable"], (value) => value),
  };
}

function parseMemory(input: string): number {
  const bytes = parseSize(input, "memory size");
  if (bytes === 0 || bytes >= LEAST_MEMORY_BYTES) return bytes;
  throw new Failure(`memory size '${input}' is too small`, {
    hint: "the least that a container can start with is 6m; 0 is no limit",
  });
}

function parseHostname(input: string): string {
  if (/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62})$/.test(input) && !input.endsWith("-")) return input;
  throw new Failure(`bad host name '${input}'`, { hint: "use letters, digits, dots and dashes, at most 63" });
}

function parseWorkdir(input: string): string {
  if (input.startsWith("/")) return input;
  throw new Failure(`working directory '${input}' is not an absolute path`, { hint: "begin it with /" });
}

function absolutePath(path: string, cwd: string): string {
  return path.startsWith("/") ? path : `${cwd}/${path}`;
}

function parseNetwork(input: string): NetworkChoice {
  if (input === "bridge" || input === "default") return { kind: "bridge" };
  if (input === "none" || input === "host") return { kind: input };
  const container = /^container:(.+)$/s.exec(input)?.[1];
  if (container !== undefined) return { kind: "container", container };
  throw new Failure(`there is no network '${input}'`, { hint: "use bridge, none, host or container:NAME" });
}

function parseNamespace(name: string, input: string | undefined, canJoin: boolean): NamespaceChoice {
  if (input === undefined || input === "" || input === "private") return { kind: "private" };
  if (input === "host") return { kind: "host" };
  const container = /^container:(.+)$/s.exec(input)?.[1];
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
