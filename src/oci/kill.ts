/**
 * `kill`: sends a signal to a container's first process, or to all of its processes.
 */

import { freeze, isFrozen, thaw } from "../cgroup/freeze.ts";
import { processesIn } from "../cgroup/members.ts";
import { isRunning } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { openPidfd, sendSignal } from "../linux/process.ts";
import { parseSignal, SIG } from "../linux/signal.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { type ContainerRecord, configOf, recordOf, statusOfContainer } from "./record.ts";

const FLAGS = { all: toggle("a", "Send it to all processes of the container") } as const;

export const help = { usage: "[--all] CONTAINER [SIGNAL]", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("kill", FLAGS, argv, { program: programName() });
  const [id, name = "SIGTERM", ...more] = rest;
  if (id === undefined || more.length > 0) {
    throw new Failure('"kill" requires a container, and may have a signal', {
      hint: `${programName()} kill [--all] CONTAINER [SIGNAL]`,
    });
  }
  const record = recordOf(globals.root, id);
  // 0 asks whether there is a process: kill(2).
  const signal = name === "0" ? 0 : parseSignal(name);
  if (signal === undefined) throw new Failure(`unknown signal "${name}"`, { hint: "a name or a number: TERM, 15" });
  const status = statusOfContainer(globals.root, record);
  if (flags.all === true) {
    signalAll(record, signal);
    return 0;
  }
  // A process without a PID namespace of its own does not take the others with it.
  const killsOthers = signal === SIG.KILL && sharesPids(globals.root, record);
  if (status !== "stopped") signalInit(record, signal);
  else if (!killsOthers || !hasProcesses(record)) throw new Failure("container not running");
  if (killsOthers) signalAll(record, signal);
  return 0;
}

function signalInit({ init, cgroupPath }: ContainerRecord, signal: number): void {
  using pidfd = init === undefined ? undefined : openPidfd(init.pid);
  if (pidfd === undefined || !isRunning(init)) throw new Failure("container not running");
  sendSignal(pidfd.fd, signal);
  // Cgroups of version 1 hold back even SIGKILL while they are frozen.
  if (signal === SIG.KILL && cgroupPath !== undefined && isFrozen(cgroupPath)) thaw(cgroupPath);
}

function hasProcesses({ cgroupPath }: ContainerRecord): boolean {
  return cgroupPath !== undefined && processesIn(cgroupPath).length > 0;
}

/** Signals every process of the cgroup; frozen meanwhile, so that none is born that is missed. */
function signalAll(record: ContainerRecord, signal: number): void {
  const { cgroupPath } = record;
  if (cgroupPath === undefined) return signalInit(record, signal);
  const wasFrozen = isFrozen(cgroupPath);
  const pids = processesIn(cgroupPath);
  if (pids.length === 0) return;
  if (!wasFrozen) tryFreeze(cgroupPath);
  for (const pid of processesIn(cgroupPath)) {
    using pidfd = openPidfd(pid);
    if (pidfd !== undefined) sendSignal(pidfd.fd, signal);
  }
  if (!wasFrozen || signal === SIG.KILL) thaw(cgroupPath);
}

/** Where there is no freezer, or a process does not stand still, signals are sent all the same. */
function tryFreeze(cgroupPath: string): void {
  try {
    freeze(cgroupPath);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

function sharesPids(root: string, record: ContainerRecord): boolean {
  const pid = configOf(root, record).linux?.namespaces?.find(({ type }) => type === "pid");
  return pid === undefined || (pid.path !== undefined && pid.path !== "");
}
