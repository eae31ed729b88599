/**
 * `exec`: runs another program in a container.
 */

import { parseChoice } from "../cgroup/choice.ts";
import { execute } from "../container/exec.ts";
import { plainStreams } from "../container/streams.ts";
import { uncommonOfExec } from "../container/uncommon.ts";
import { Failure } from "../failure.ts";
import { applyCpuAffinity, cpuAffinity, parseCpuList, resetCpuAffinity } from "../isolation/cpu-affinity.ts";
import { asksForLabels, checkLabels, labelFacts } from "../isolation/labels.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { readLink, readText } from "../linux/hostpath.ts";
import { sendSignal, waitFor } from "../linux/process.ts";
import { blockExactly, forwardableSignals, ignoredSignals, SIG } from "../linux/signal.ts";
import { isTerminal } from "../linux/tty.ts";
import { planProcess } from "../plan/process.ts";
import { checkProcess } from "../spec/check-process.ts";
import type { Capabilities, NamespaceType, Process, Spec } from "../spec/config.ts";
import { parseProcess } from "../spec/parse-config.ts";
import { list, parseFlags, text, toggle, type Values } from "../term/flags.ts";
import { nonNegative } from "./arguments.ts";
import { attend } from "./attend.ts";
import { sendPidfd, sendTerminal } from "./descriptor-sockets.ts";
import { withFixedGroups } from "./fixed-groups.ts";
import type { Globals } from "./globals.ts";
import { stateOf } from "./hooked.ts";
import { listenerOf } from "./listener.ts";
import { programName } from "./name.ts";
import { checkPreserved } from "./passed-descriptors.ts";
import { writePidFile } from "./pid-file.ts";
import { configOf, recordOf, statusOfContainer } from "./record.ts";
import { tellLog } from "./report.ts";
import { seccompOf } from "./seccomp.ts";

const STDOUT = 1;

const FLAGS = {
  process: text("p", "FILE", "The process, as in config.json"),
  tty: toggle("t", "With a terminal of its own"),
  cwd: text("", "DIR", "The working directory"),
  env: list("e", "NAME=VALUE", "Set a variable of the environment"),
  user: text("u", "UID[:GID]", "Who it runs as"),
  "additional-gids": list("g", "GID", "Further groups"),
  cap: list("c", "CAP", "Add a capability"),
  apparmor: text("", "PROFILE", "The AppArmor profile"),
  "process-label": text("", "LABEL", "The SELinux label"),
  "no-new-privs": toggle("", "Without ways to get privileges"),
  "preserve-fds": text("", "N", "Pass N more descriptors, from 3 on"),
  "pid-file": text("", "FILE", "Write the process's id there"),
  "console-socket": text("", "PATH", "Socket that is sent the master of its terminal"),
  "pidfd-socket": text("", "PATH", "Socket that is sent a pidfd of the process"),
  detach: toggle("d", "Return once it runs"),
  "ignore-paused": toggle("", "Also in a container that is paused"),
  cgroup: list("", "[CONTROLLER,...:]PATH", "Run it in a cgroup below the container's"),
  "no-subreaper": toggle("", "Taken for the sake of older engines"),
} as const;

/** Where none is asked for, the host is not. */
const NO_LABELS = { apparmor: false, selinux: false };

export const help = { usage: "[FLAGS] CONTAINER COMMAND [ARGUMENT...]", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("exec", FLAGS, argv, { program: programName(), stopAtFirstWord: true });
  const [id, ...command] = rest;
  if (id === undefined) {
    throw new Failure('"exec" requires a container', { hint: `${programName()} exec [FLAGS] CONTAINER COMMAND...` });
  }
  const preservedFds = nonNegative("--preserve-fds", flags["preserve-fds"] ?? "0");
  // Before anything of ours is open.
  checkPreserved(preservedFds);
  const record = recordOf(globals.root, id);
  const status = statusOfContainer(globals.root, record);
  if (status === "stopped") throw new Failure("cannot exec in a stopped container");
  // What its namespaces show is still the host's.
  if (status === "creating") throw new Failure("cannot exec in a container that is being made");
  if (status === "paused" && flags["ignore-paused"] !== true) {
    throw new Failure("cannot exec in a paused container (use --ignore-paused to override)");
  }
  const spec = configOf(globals.root, record);
  const asked = processOf(spec, flags, command);
  const process = withFixedGroups(planProcess({ ...spec, process: asked }, false, seccompOf(spec)), spec);
  if (process.args.length === 0) throw new Failure("process args cannot be empty");
  const filter = filterOf(process.seccomp, process.capabilities.bounding ?? []);
  const signals = forwardableSignals();
  const inherited = { mask: blockExactly(signals), ignored: ignoredSignals() };
  const detached = flags.detach === true;
  const consoleSocket = flags["console-socket"];
  if (process.terminal && detached && consoleSocket === undefined) {
    throw new Failure("cannot allocate tty if runc will detach without setting console socket");
  }
  if (!process.terminal && consoleSocket !== undefined) {
    throw new Failure("cannot use console socket if runc will not detach or allocate tty");
  }
  const facts = asksForLabels(process) ? labelFacts() : NO_LABELS;
  checkLabels(process, facts);
  startOnCpus(asked, globals);
  using loop = new EventLoop();
  using streams = plainStreams();
  const { child, terminal } = execute({
    init: record.init,
    namespaces: namespacesOf(spec, record.init?.pid ?? 0),
    cgroup: record.cgroupPath === undefined ? undefined : parseChoice(record.cgroupPath, flags.cgroup),
    process,
    detached,
    windowSize: sizeOf(asked),
    keepsNewlines: consoleSocket === undefined && !isTerminal(STDOUT),
    streams: detached ? [0, 1, 2] : streams.fds,
    preservedFds,
    signals: inherited,
    filter,
    listener: listenerOf(process.seccomp, () => stateOf(spec, record, "running", record.init?.pid ?? 0)),
    uncommon: uncommonOfExec(asked, spec),
    labelFacts: facts,
    warn: (message) => tellLog(globals, "warning", message),
    debug: globals.debug ? (message) => tellLog(globals, "debug", message) : undefined,
  });
  try {
    if (terminal !== undefined && consoleSocket !== undefined) {
      sendTerminal(consoleSocket, terminal);
      terminal.close();
    }
    if (flags["pidfd-socket"] !== undefined) sendPidfd(flags["pidfd-socket"], child.pidfd);
    if (flags["pid-file"] !== undefined) writePidFile(flags["pid-file"], child.pid);
  } catch (error) {
    // Nobody would know of a program whose start has failed.
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    throw error;
  }
  if (detached) return 0;
  return attend({ child, terminal: consoleSocket === undefined ? terminal : undefined, streams, loop, signals });
}

/** Those of config.json; and the one of clocks that criu gives to every container which it restores. */
function namespacesOf(spec: Spec, pid: number): NamespaceType[] {
  const types = (spec.linux?.namespaces ?? []).map(({ type }) => type);
  const isOther = readLink(`/proc/${pid}/ns/time`) !== readLink("/proc/self/ns/time");
  return types.includes("time") || !isOther ? types : [...types, "time"];
}

/** Where the program is to begin; `final` comes once it is in its cgroup: config.md#linux-process, execCPUAffinity. */
function startOnCpus({ execCPUAffinity }: Process, globals: Globals): void {
  if (execCPUAffinity?.initial) applyCpuAffinity(parseCpuList(execCPUAffinity.initial));
  else resetCpuAffinity();
  if (globals.debug) tellLog(globals, "debug", `nsexec: affinity: ${cpuAffinity()}`);
}

/** Both or none: a terminal without lines is none. */
function sizeOf({ consoleSize }: Process): { rows: number; columns: number } | undefined {
  const { height: rows = 0, width: columns = 0 } = consoleSize ?? {};
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}

/** The process of `--process`, or the container's own with what flags say in its place. */
function processOf(spec: Spec, flags: Values<typeof FLAGS>, command: readonly string[]): Process {
  if (flags.process !== undefined) {
    const process = parseProcess(readText(flags.process), flags.process);
    checkProcess(process, flags.process);
    return flags.tty === true ? { ...process, terminal: true } : process;
  }
  const { process } = spec;
  if (process === undefined) throw new Failure("config.json: process is missing");
  const ids = flags.user === undefined ? {} : parseUser(flags.user);
  for (const variable of flags.env) {
    if (variable.indexOf("=") < 1) throw new Failure(`invalid environment variable: ${JSON.stringify(variable)}`);
  }
  const gids = flags["additional-gids"].map((gid) => idOf(gid, "--additional-gids"));
  return {
    ...process,
    args: [...command],
    env: [...(process.env ?? []), ...flags.env],
    cwd: flags.cwd ?? process.cwd,
    terminal: flags.tty === true,
    user: { ...process.user, ...ids, additionalGids: [...(process.user.additionalGids ?? []), ...gids] },
    capabilities: withAdded(process.capabilities ?? {}, flags.cap),
    noNewPrivileges: process.noNewPrivileges === true || flags["no-new-privs"] === true,
    ...(flags.apparmor === undefined ? {} : { apparmorProfile: flags.apparmor }),
    ...(flags["process-label"] === undefined ? {} : { selinuxLabel: flags["process-label"] }),
  };
}

/**
 * Added ones are in all sets but the inheritable one (CVE-2022-29162), and in the ambient one if the config has them as
 * inheritable.
 */
function withAdded(capabilities: Capabilities, added: readonly string[]): Capabilities {
  if (added.length === 0) return capabilities;
  const names = added.map((name) => (name.startsWith("CAP_") ? name : `CAP_${name}`).toUpperCase());
  const add = (set: readonly string[] = []) => [...new Set([...set, ...names])];
  return {
    ...capabilities,
    bounding: add(capabilities.bounding),
    effective: add(capabilities.effective),
    permitted: add(capabilities.permitted),
    ambient: [
      ...new Set([
        ...(capabilities.ambient ?? []),
        ...names.filter((name) => capabilities.inheritable?.includes(name)),
      ]),
    ],
  };
}

const LAST_ID = 0xfffffffe;

/** Digits only: a name, a sign or a blank is never taken for root. */
function idOf(text: string, what: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(id <= LAST_ID)) throw new Failure(`${what}: '${text}' is no id`, { hint: "give it as a number" });
  return id;
}

function parseUser(text: string): { uid: number; gid?: number } {
  const [uid = "", gid, ...more] = text.split(":");
  if (more.length > 0) throw new Failure(`--user: '${text}' is not of the form UID[:GID]`);
  return { uid: idOf(uid, "--user"), ...(gid === undefined ? {} : { gid: idOf(gid, "--user") }) };
}
