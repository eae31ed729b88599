/**
 * Makes the container of a bundle: what `create` and `run` have in common.
 */

import { launch } from "../container/launch.ts";
import { nameProcess } from "../container/state.ts";
import { Failure } from "../failure.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { filterOf } from "../isolation/seccomp/filter.ts";
import { wallClockRfc3339 } from "../linux/clock.ts";
import type { Handle } from "../linux/fd.ts";
import { replaceFile, writeNewFile } from "../linux/hostpath.ts";
import { type Child, geteuid } from "../linux/process.ts";
import { blockExactly, forwardableSignals, ignoredSignals } from "../linux/signal.ts";
import type { Plan } from "../plan/plan.ts";
import { type Bundle, readBundle } from "./bundle.ts";
import { sendTerminal } from "./console-socket.ts";
import { destroy } from "./destroy.ts";
import type { Globals } from "./globals.ts";
import { type Hooked, hooksOf } from "./hooked.ts";
import { planBundle } from "./plan.ts";
import { type ContainerRecord, checkId, claimId, pathsOf, readRecord, tryLockRecord, writeRecord } from "./record.ts";
import { tellLog } from "./report.ts";

export interface MakeOptions {
  readonly id: string;
  readonly bundle: string | undefined;
  readonly consoleSocket: string | undefined;
  readonly pidFile: string | undefined;
  readonly preserveFds: number;
  readonly noPivot: boolean;
  readonly newKeyring: boolean;
  /** Whether the container waits for `start`. */
  readonly waits: boolean;
  /** Whether it ends with this process. */
  readonly attached: boolean;
  /** Descriptors that become the program's standard streams; undefined for ours. */
  readonly streams?: readonly [number, number, number];
  readonly ownHandles?: readonly Handle[];
}

export interface Made {
  readonly record: ContainerRecord;
  readonly bundle: Bundle;
  readonly child: Child;
  /** The terminal's master, if nobody else has been given it. */
  readonly terminal: Handle | undefined;
  readonly hooked: Hooked | undefined;
  /** The mask of signals before. */
  readonly mask: Uint8Array;
  readonly signals: readonly number[];
}

/** Makes a container, which waits for its start or runs at once. What was made is undone if that does not come to its end. */
export async function make(options: MakeOptions, globals: Globals): Promise<Made> {
  const id = checkId(options.id);
  const bundle = readBundle(options.bundle);
  const plan = planBundle(bundle, id, globals, options);
  if (plan.process.terminal && options.consoleSocket === undefined && !options.attached) {
    throw new Failure("cannot allocate tty if runc will detach without setting console socket");
  }
  if (!plan.process.terminal && options.consoleSocket !== undefined) {
    throw new Failure("cannot use console socket if runc will not detach or allocate tty");
  }
  const filter = await filterOf(plan.process.seccomp, plan.process.capabilities.bounding ?? []);
  const hooked = await hooksOf(plan, bundle, id, globals);
  const listener = await listenerOf(plan.process.seccomp, bundle, id);
  using lock = claim(globals, id);
  const paths = pathsOf(globals.root, id);
  let record = firstRecord(bundle, plan, id);
  using undo = new DisposableStack();
  undo.defer(() => destroy(globals, record));
  writeNewFile(paths.config, bundle.config);
  writeRecord(globals.root, record);
  for (const text of plan.cgroup?.warnings ?? []) tellLog(globals, "warning", text);
  const signals = forwardableSignals();
  const mask = blockExactly(signals);
  using gate = options.waits ? (await import("../container/start-gate.ts")).openGate(paths.gate) : undefined;
  const complete = (pid: number) => {
    writeRecord(globals.root, { ...record, complete: true });
    if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
  };
  let pid = 0;
  const { child, terminal } = launch({
    plan,
    emit: (event) => {
      if (event.kind === "warning") tellLog(globals, "warning", event.text);
    },
    networksDirectory: "",
    ports: [],
    filter,
    signals: { mask, ignored: ignoredSignals() },
    ownHandles: [lock, ...(options.ownHandles ?? [])],
    ...(options.streams === undefined ? {} : { streams: options.streams }),
    preservedFds: options.preserveFds,
    gate,
    diesWithSupervisor: options.attached,
    hooks: hooked,
    listener,
    born: (born) => {
      pid = born;
      const init = nameProcess(born);
      if (init !== undefined) record = { ...record, init };
      writeRecord(globals.root, record);
    },
    rooted: (_attached, master) => {
      if (options.consoleSocket !== undefined && master !== undefined) {
        sendTerminal(options.consoleSocket, master);
        master.close();
      }
      if (gate === undefined) complete(pid);
    },
    ready: () => complete(pid),
  });
  undo.move();
  return {
    record: { ...record, complete: true },
    bundle,
    child,
    terminal: options.consoleSocket === undefined ? terminal : undefined,
    hooked,
    mask,
    signals,
  };
}

function firstRecord(bundle: Bundle, plan: Plan, id: string): ContainerRecord {
  return {
    version: 1,
    id,
    bundle: bundle.path,
    rootfs: bundle.rootfs,
    created: wallClockRfc3339(),
    uid: geteuid(),
    complete: false,
    ...(plan.cgroup === undefined ? {} : { cgroupPath: plan.cgroup.path }),
  };
}

/** Takes an id. One whose maker has died half way is freed first. */
function claim(globals: Globals, id: string): Handle {
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
    hint: `'mycontainer-runtime delete ${id}' removes one that has stopped`,
  });
}

/** Whole or not at all: engines wait for it to be there. */
export function writePidFile(path: string, pid: number): void {
  replaceFile(path, String(pid), { durable: false, mode: 0o666 });
}

/** Hands announced calls on to the agent that the profile names; undefined if the profile announces none. */
async function listenerOf(
  seccomp: SeccompChoice,
  bundle: Bundle,
  id: string,
): Promise<((child: Child, fd: number) => void) | undefined> {
  if (seccomp.kind !== "profile" || seccomp.profile.listenerPath === undefined) return undefined;
  void bundle;
  void id;
  return undefined;
}
