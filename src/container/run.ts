/**
 * `run`: makes a container, watches over it, and cleans up after it; in the foreground, or in a monitor of its own.
 */
import { ownChoice } from "../cgroup/choice.ts";
import { oomKills } from "../cgroup/stats.ts";
import type { Filter } from "../isolation/seccomp/install.ts";
import { monotonicMs, wallClockMs } from "../linux/clock.ts";
import { isErrno } from "../linux/error.ts";
import { EventLoop } from "../linux/eventloop.ts";
import type { Handle } from "../linux/fd.ts";
import { O_APPEND, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { type Ending, exitCodeOf } from "../linux/process.ts";
import { blockExactly, forwardableSignals, ignoredSignals, restoreMask } from "../linux/signal.ts";
import { type Attached, attachNetwork, type Detachment } from "../network/attach.ts";
import { ownLine } from "../network/files.ts";
import { type Attendance, attend, leave, lookIfNeeded } from "./attendance.ts";
import { fallBack, reconcileAll, releaseResources, removeAll } from "./destroy.ts";
import type { Emit } from "./events.ts";
import { healthPlanOf } from "./health.ts";
import { beginHealth } from "./health-file.ts";
import { watchHealth } from "./health-watch.ts";
import { type Launched, launch } from "./launch.ts";
import { beginLog } from "./log.ts";
import { inMonitor, loggedStreams, superviseLogging } from "./monitor.ts";
import type { RunOptions } from "./options.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import type { Prepared } from "./prepare.ts";
import type { InheritedSignals } from "./program.ts";
import { openStand } from "./spectators.ts";
import { type ContainerState, type Exit, nameProcess, writeState } from "./state.ts";
import { connectTerminal, plainStreams } from "./streams.ts";
import { supervise } from "./supervise.ts";

/** 128 and SIGKILL: what the kernel does where memory runs out, and what a shell says of a child that it was done to. */
const KILLED = 137;

/** A container whose program runs, and what its supervisor holds of it. */
export interface Running extends Launched {
  readonly prepared: Prepared;
  readonly state: ContainerState;
  readonly startedAtMs: number;
  readonly attendance: Attendance;
}

export interface StartOptions {
  readonly root: StateRoot;
  readonly attendance: Attendance;
  readonly prepared: Prepared;
  readonly filter: Filter | undefined;
  readonly emit: Emit;
  readonly startMs: number;
  readonly signals: InheritedSignals;
  readonly streams: readonly [number, number, number];
  readonly ownHandles: readonly Handle[];
}

/** Makes the container and lets its program go; undoes everything if that does not come to its end. */
export function start(options: StartOptions): Running {
  const { root, prepared, emit, attendance } = options;
  let state = prepared.state;
  const durable = !state.removeAtEnd;
  try {
    const launched = launch({
      plan: prepared.plan,
      emit,
      root: prepared.rootMount,
      attachNetwork: (network, pid) => attachNetwork(network, { pid }, root.networks, prepared.ports.ports),
      signals: options.signals,
      filter: options.filter,
      streams: options.streams,
      ownHandles: [prepared.lock, ...prepared.ports.handles, ...options.ownHandles],
      born: (pid) => {
        const init = nameProcess(pid);
        if (init !== undefined) state = { ...state, init };
      },
      rooted: (attached) => {
        if (attached !== undefined) nameOwnAddress(prepared, attached.address);
        tellMade(prepared, attached, emit);
      },
    });
    if (healthPlanOf(state.healthcheck) !== undefined) beginHealth(root, state.id, monotonicMs());
    const { before: _before, exit: _exit, ...rest } = state;
    state = { ...rest, status: "running", startedMs: wallClockMs() };
    writeState(root, state, { durable });
    emit({ kind: "ready", bootMs: monotonicMs() - options.startMs });
    return { ...launched, prepared, state, startedAtMs: monotonicMs(), attendance };
  } catch (error) {
    discard(root, prepared, state);
    leave(attendance);
    throw error;
  }
}

/** The container's own name in its /etc/hosts: its address is known only now. */
function nameOwnAddress(prepared: Prepared, address: string): void {
  const { hostname, domainname = "" } = prepared.plan;
  if (hostname === undefined || !prepared.ownNetworkFiles) return;
  using file = openHost(prepared.paths.hosts, O_WRONLY | O_APPEND);
  writeAll(file.fd, ownLine({ address, hostname, domainname }), prepared.paths.hosts);
}

function tellMade(prepared: Prepared, attached: Attached | undefined, emit: Emit): void {
  emit({ kind: "namespaces", types: prepared.plan.namespaces.create });
  const { root } = prepared.plan;
  const isDirectory = root.kind === "directory";
  emit({
    kind: "rooted",
    image: prepared.imageName,
    rootfs: isDirectory ? root.path : prepared.paths.rootfs,
    isDirectory,
  });
  if (prepared.cgroupTold !== undefined) emit({ kind: "cgroup", ...prepared.cgroupTold });
  if (attached !== undefined) emit({ kind: "network", ...attached });
}

/** Undoes a container that did not come to run. */
function discard(root: StateRoot, prepared: Prepared, state: ContainerState): void {
  releaseResources(root, state, "now");
  fallBack(root, state);
  for (const port of prepared.ports.handles) port.close();
  prepared.lock.close();
}

/**
 * Finishes what others have left half done, if there may be such, now that there is time for it. Whatever is wrong with them is
 * told, and is no reason for this container to end.
 */
function reconcileOthers(root: StateRoot, { attendance }: Running, emit: Emit): void {
  try {
    lookIfNeeded(attendance, () => reconcileAll(root));
  } catch (error) {
    emit({ kind: "warning", text: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * Cleans up after a container's end, and notes how it ended. Returns the exit code.
 * @param link how its link goes: nobody waits for the end of a service, whose connections could keep the link for minutes
 */
export function finish(
  root: StateRoot,
  running: Running,
  ending: Ending,
  emit: Emit,
  link: Detachment["link"] = "kernel",
): number {
  const { state, prepared } = running;
  const code = exitCodeOf(ending);
  const outOfMemory = code === KILLED && oomKills(state.cgroupPath) > 0;
  const exit: Exit = { code, outOfMemory, finishedMs: wallClockMs() };
  emit({ kind: "cleaning", id: state.id });
  releaseResources(root, state, link, emit);
  // The mounts were the container's alone: they went with its last process.
  emit({ kind: "unmounted" });
  for (const port of prepared.ports.handles) port.close();
  tellWaiting(root, state, exit.code);
  if (state.removeAtEnd) {
    removeAll(root, state);
    if (prepared.plan.root.kind !== "directory") emit({ kind: "rootfs-removed" });
  } else {
    const { init: _init, ...rest } = state;
    writeState(root, { ...rest, hasNetwork: false, status: "exited", exit }, { durable: true });
  }
  emit({ kind: "stopped", uptimeMs: monotonicMs() - running.startedAtMs, outOfMemory });
  leave(running.attendance);
  prepared.lock.close();
  return exit.code;
}

/** Leaves the exit code for whoever waits for it (container/control.ts, waitContainer). */
function tellWaiting(root: StateRoot, state: ContainerState, code: number): void {
  const path = containerPaths(root, state.id).exit;
  try {
    using file = openHost(path, O_WRONLY);
    writeAll(file.fd, String(code), path);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

/** What is to be run, and how that is told. */
export interface RunRequest {
  readonly root: StateRoot;
  readonly options: Pick<RunOptions, "timeoutSeconds" | "sigProxy">;
  /** Has the container ready to be made: by prepare.ts, or again.ts. */
  readonly prepare: (emit: Emit) => Prepared;
  /** Compiled before, since compiling one may mean to load the compiler. */
  readonly filter: Filter | undefined;
  readonly emit: Emit;
  /** When the command began, on the monotonic clock. */
  readonly startMs: number;
}

/** Begins the health checks that the container is to have. */
function checksOf({ root, filter }: RunRequest, { prepared, state }: Running, signals: InheritedSignals) {
  const { namespaces: own, process } = prepared.plan;
  const { init, cgroupPath } = state;
  const namespaces = [...own.create, ...own.join.map(({ type }) => type)];
  const target = { init, cgroup: ownChoice(cgroupPath), namespaces, process, filter, signals };
  return (loop: EventLoop) => watchHealth(loop, { root, state, target });
}

/** Runs a container in the foreground. Returns its exit code. */
export function runForeground(request: RunRequest): number {
  const { root, options, emit } = request;
  const signals = forwardableSignals();
  const inherited = { mask: blockExactly(signals), ignored: ignoredSignals() };
  const attendance = attend(root);
  const prepared = request.prepare(emit);
  using loop = new EventLoop();
  using streams = plainStreams();
  const running = start({ ...request, attendance, prepared, signals: inherited, streams: streams.fds, ownHandles: [] });
  const timeout = options.timeoutSeconds === undefined ? {} : { timeoutMs: options.timeoutSeconds * 1000 };
  const checks = checksOf(request, running, inherited);
  let ending: Ending;
  if (running.terminal === undefined) {
    streams.started(loop);
    reconcileOthers(root, running, emit);
    using _checks = checks(loop);
    ending = supervise({ child: running.child, loop, signals, forward: options.sigProxy, ...timeout });
    streams.finish();
  } else {
    using session = connectTerminal(loop, running.terminal, prepared.interactive);
    reconcileOthers(root, running, emit);
    using _checks = checks(loop);
    ending = supervise({
      child: running.child,
      loop,
      signals,
      forward: options.sigProxy,
      resized: () => session.resize(),
      ...timeout,
    });
    session.finish();
  }
  running.child.pidfd.close();
  const code = finish(root, running, ending, emit);
  restoreMask(inherited.mask);
  return code;
}

/** Runs a container in the background. Returns its id, once its program runs. */
export function runDetached(request: RunRequest): string {
  const { root, options, emit } = request;
  const signals = forwardableSignals();
  const inherited = { mask: blockExactly(signals), ignored: ignoredSignals() };
  return inMonitor(
    () => {
      const attendance = attend(root);
      const prepared = request.prepare(emit);
      beginLog(prepared.paths.log);
      const streams = loggedStreams();
      const stand = openStand(prepared.paths.attach);
      const ownHandles = [stand, ...streams.sources.map(({ from }) => from)];
      const running = start({ ...request, attendance, prepared, signals: inherited, streams: streams.fds, ownHandles });
      streams.started();
      return { running, streams, stand, id: prepared.state.id };
    },
    ({ running, streams, stand }) => {
      using _streams = streams;
      const { terminal, child, state } = running;
      const sources = terminal === undefined ? streams.sources : ([{ stream: "stdout", from: terminal }] as const);
      reconcileOthers(root, running, emit);
      const supervision = {
        signals,
        checks: checksOf(request, running, inherited),
        ...(options.timeoutSeconds === undefined ? {} : { timeoutMs: options.timeoutSeconds * 1000 }),
      };
      const look = { stand, terminal, interactive: running.prepared.interactive };
      const ending = superviseLogging(child, sources, containerPaths(root, state.id).log, supervision, look);
      finish(root, running, ending, () => {}, "now");
    },
    (text) => emit({ kind: "warning", text }),
  );
}
