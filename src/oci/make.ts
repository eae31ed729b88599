/**
 * Makes the container of a bundle: what `create` and `run` have in common.
 */

import { CgroupInUse, refuseCgroupInUse } from "../cgroup/apply.ts";
import type { ContainerHooks } from "../container/hooks.ts";
import { type LaunchOptions, launch, openDirectoryRoot } from "../container/launch.ts";
import { openGate as openStartGate } from "../container/start-gate.ts";
import { nameProcess } from "../container/state.ts";
import { uncommonOf } from "../container/uncommon.ts";
import { Failure } from "../failure.ts";
import { resetCpuAffinity } from "../isolation/cpu-affinity.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { wallClockRfc3339 } from "../linux/clock.ts";
import type { Handle } from "../linux/fd.ts";
import { writeNewFile } from "../linux/hostpath.ts";
import { type Child, geteuid } from "../linux/process.ts";
import { blockExactly, currentMask, forwardableSignals, ignoredSignals } from "../linux/signal.ts";
import { isTerminal, keepNewlines } from "../linux/tty.ts";
import type { Plan } from "../plan/plan.ts";
import { type Bundle, readBundle } from "./bundle.ts";
import { sendPidfd, sendTerminal } from "./descriptor-sockets.ts";
import { destroy } from "./destroy.ts";
import type { Globals } from "./globals.ts";
import { hooksOf, stateOf, stateText } from "./hooked.ts";
import { listenerOf } from "./listener.ts";
import { programName } from "./name.ts";
import { passedDescriptors } from "./passed-descriptors.ts";
import { writePidFile } from "./pid-file.ts";
import { planBundle } from "./plan.ts";
import { type ContainerRecord, checkId, claimId, pathsOf, readRecord, tryLockRecord, writeRecord } from "./record.ts";
import { tellLog } from "./report.ts";
import { systemdCgroup } from "./systemd-cgroup.ts";

const STDOUT = 1;

export interface MakeOptions {
  readonly id: string;
  readonly bundle: string | undefined;
  readonly consoleSocket: string | undefined;
  readonly pidFile: string | undefined;
  readonly pidfdSocket: string | undefined;
  readonly preserveFds: number;
  readonly noPivot: boolean;
  readonly newKeyring: boolean;
  /** Whether the container waits for `start`. */
  readonly waits: boolean;
  /** Whether it ends with this process. */
  readonly attached: boolean;
  /** Descriptors that become the program's standard streams; undefined for ours. */
  readonly streams?: readonly [number, number, number];
}

export interface Made {
  readonly record: ContainerRecord;
  readonly bundle: Bundle;
  readonly child: Child;
  /** The terminal's master, if nobody else has been given it. */
  readonly terminal: Handle | undefined;
  readonly hooked: ContainerHooks | undefined;
  /** The mask of signals before. */
  readonly mask: Uint8Array;
  readonly signals: readonly number[];
}

/** Makes a container, which waits for its start or runs at once. What was made is undone if that does not come to its end. */
export function make(options: MakeOptions, globals: Globals): Made {
  const id = checkId(options.id);
  const bundle = readBundle(options.bundle);
  const systemd = globals.cgroups === "systemd" ? systemdCgroup(bundle.spec, id, globals.rootless) : undefined;
  const passed = passedDescriptors(options.preserveFds);
  const plan = withVariables(planBundle(bundle, id, globals, options, systemd), passed.variables);
  checkTerminal(plan, options);
  const filter = filterOf(plan.process.seccomp, plan.process.capabilities.bounding ?? []);
  const uncommon = uncommonOf(bundle.spec, id);
  const hooked = hooksOf(plan, bundle, id, globals);
  const listener = listenerOf(plan.process.seccomp, (pid) =>
    stateOf(bundle.spec, { id, bundle: bundle.path }, "creating", pid),
  );
  const openGate = options.waits ? openStartGate : undefined;
  using lock = claim(globals, id);
  const record: Ground["record"] = { ...firstRecord(bundle, plan, id) };
  // Before systemd has made the unit, one of that name is somebody else's, and not to be stopped.
  const enterUnit = (pid: number) => {
    if (systemd === undefined) return;
    systemd.enter(pid);
    record.systemd = { unit: systemd.unit, isUser: systemd.isUser };
    writeRecord(globals.root, record);
  };
  const parts = {
    preservedFds: passed.count,
    filter,
    uncommon,
    hooks: hooked,
    listener,
    lock,
    openGate,
    enterUnit,
  };
  try {
    return { ...launchRecorded(options, globals, { bundle, plan, record, ...parts }), bundle, hooked };
  } catch (error) {
    // It is not ours to be emptied.
    if (error instanceof CgroupInUse) delete record.cgroupPath;
    destroy(globals, record);
    hooked?.run("poststop", plan.hooks?.poststop ?? [], stateText(bundle.spec, record, "stopped", 0));
    throw error;
  }
}

function withVariables(plan: Plan, variables: readonly string[]): Plan {
  if (variables.length === 0) return plan;
  return { ...plan, process: { ...plan.process, env: [...plan.process.env, ...variables] } };
}

/** Throws a Failure unless somebody will have the terminal's other side, where there is one. */
export function checkTerminal(
  { process }: Plan,
  { consoleSocket, attached }: Pick<MakeOptions, "consoleSocket" | "attached">,
): void {
  if (process.terminal && consoleSocket === undefined && !attached) {
    throw new Failure("cannot allocate tty if runc will detach without setting console socket");
  }
  if (!process.terminal && consoleSocket !== undefined) {
    throw new Failure("cannot use console socket if runc will not detach or allocate tty");
  }
}

/** What has been decided and loaded for a container that is to be made. */
interface Ground extends Pick<LaunchOptions, "filter" | "uncommon" | "hooks" | "listener" | "enterUnit"> {
  readonly bundle: Bundle;
  readonly plan: Plan;
  /** Kept up to date, for whoever must undo what has been done. */
  readonly record: { -readonly [Field in keyof ContainerRecord]: ContainerRecord[Field] };
  readonly lock: Handle;
  readonly preservedFds: number;
  readonly openGate: ((path: string) => Handle) | undefined;
}

/** Launches the container with all that happens to it on record. */
function launchRecorded(options: MakeOptions, globals: Globals, ground: Ground): Omit<Made, "bundle" | "hooked"> {
  const { bundle, plan, record, uncommon } = ground;
  const paths = pathsOf(globals.root, record.id);
  if (plan.cgroup !== undefined) refuseCgroupInUse(plan.cgroup);
  writeNewFile(paths.config, bundle.config);
  writeRecord(globals.root, record);
  for (const text of [...bundle.warnings, ...(plan.cgroup?.warnings ?? [])]) tellLog(globals, "warning", text);
  const signals = forwardableSignals();
  // Who stays takes signals from a descriptor. Others end by them, and what they have begun is undone by the next command.
  const mask = options.attached ? blockExactly(signals) : currentMask();
  using gate = ground.openGate?.(paths.gate);
  resetCpuAffinity();
  const complete = (child: Child) => {
    if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, child.pidfd);
    record.complete = true;
    writeRecord(globals.root, record);
    if (options.pidFile !== undefined) writePidFile(options.pidFile, record.init?.pid ?? 0);
  };
  const { child, terminal } = launch({
    plan,
    root: openDirectoryRoot(bundle.rootfs),
    emit: (event) => {
      if (event.kind === "warning" || event.kind === "debug") tellLog(globals, event.kind, event.text);
    },
    filter: ground.filter,
    signals: { mask, ignored: ignoredSignals() },
    ownHandles: [ground.lock],
    ...(options.streams === undefined ? {} : { streams: options.streams }),
    preservedFds: ground.preservedFds,
    tellsSteps: globals.debug,
    gate,
    diesWithSupervisor: options.attached,
    hooks: ground.hooks,
    uncommon,
    enterUnit: ground.enterUnit,
    listener: ground.listener,
    born: (pid) => {
      const init = nameProcess(pid);
      if (init !== undefined) record.init = init;
      const rdt = uncommon?.applyFromHost(pid);
      if (rdt !== undefined) record.rdt = rdt;
      writeRecord(globals.root, record);
    },
    rooted: (_attached, master, child) => {
      if (options.consoleSocket !== undefined && master !== undefined) {
        sendTerminal(options.consoleSocket, master);
        master.close();
      } else if (master !== undefined && !isTerminal(STDOUT)) keepNewlines(master.fd);
      if (gate === undefined) complete(child);
    },
    ready: complete,
  });
  return { record, child, terminal: options.consoleSocket === undefined ? terminal : undefined, mask, signals };
}

export function firstRecord(bundle: Bundle, plan: Plan, id: string): ContainerRecord {
  return {
    version: 1,
    id,
    bundle: bundle.path,
    rootfs: bundle.rootfs,
    created: wallClockRfc3339(),
    uid: geteuid(),
    complete: false,
    ...(bundle.isPlain ? { plainConfig: true } : {}),
    ...(plan.cgroup === undefined ? {} : { cgroupPath: plan.cgroup.path }),
  };
}

/** Takes an id. One whose maker has died half way is freed first. */
export function claim(globals: Globals, id: string): Handle {
  const own = claimId(globals.root, id);
  if (own !== undefined) return own;
  using stale = tryLockRecord(globals.root, id);
  const record = readRecord(globals.root, id);
  if (stale !== undefined && (record === undefined || !record.complete)) {
    destroy(globals, record ?? { id });
    const freed = claimId(globals.root, id);
    if (freed !== undefined) return freed;
  }
  throw new Failure("container with given ID already exists", {
    hint: `'${programName()} delete ${id}' removes one that has stopped`,
  });
}
