/**
 * The host's side of making a container: carries a plan out up to the moment when the user's program runs.
 * Everything that it makes is undone by container/destroy.ts, from what the state says, whether this comes to its end or not.
 */
import { addProcess, createCgroup, openForClone, openForJoin } from "../cgroup/apply.ts";
import type { CgroupPlan } from "../cgroup/plan.ts";
import { Failure } from "../failure.ts";
import { type ContainerMaps, mapIdsOf, openBindSource } from "../isolation/bind-source.ts";
import { contradictions } from "../isolation/capabilities.ts";
import { hostIdOf, writeIdMaps } from "../isolation/idmap.ts";
import { makeDevices } from "../isolation/made-devices.ts";
import { cloneFlags, inUserNamespace, joinsAhead } from "../isolation/namespaces.ts";
import { setOomScore } from "../isolation/oom-score.ts";
import { raiseHardLimits } from "../isolation/rlimits.ts";
import type { BindStep } from "../isolation/root-steps.ts";
import type { Filter } from "../isolation/seccomp/install.ts";
import { openOffsetsOf } from "../isolation/time-offsets.ts";
import { isErrno } from "../linux/error.ts";
import { type Handle, placeAt } from "../linux/fd.ts";
import { O_RDONLY, openHost, readTextIfThere } from "../linux/hostpath.ts";
import { cloneHostTree } from "../linux/mount.ts";
import { waitReadable } from "../linux/poll.ts";
import { type Child, fork, PR, prctl, sendSignal, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { socketPair } from "../linux/socket.ts";
import type { Attached } from "../network/attach.ts";
import type { BridgePlan } from "../network/plan.ts";
import type { Plan } from "../plan/plan.ts";
import type { IdMapping } from "../spec/config.ts";
import { awaitReport, failureOf, type Listening, type Report, receive, send } from "./channel.ts";
import type { Emit } from "./events.ts";
import { forkInside, type Join } from "./fork-inside.ts";
import type { ContainerHooks } from "./hooks.ts";
import { hasMountHooks, inStep, isPlaced, lateBinds, runInit } from "./init.ts";
import { lockRoot, lockSources } from "./lock-mounts.ts";
import { giveStreams } from "./own-streams.ts";
import type { Uncommon } from "./plan-uncommon.ts";
import type { InheritedSignals } from "./program.ts";
import { withoutCgroup } from "./without-cgroup.ts";

export interface LaunchOptions {
  readonly plan: Plan;
  readonly emit: Emit;
  /** A detached mount; it is closed here. */
  readonly root: Handle;
  /** Attaches the new process's network namespace to a bridge, for plans that have one. */
  readonly attachNetwork?: (network: BridgePlan, pid: number) => Attached;
  /** Of system calls; undefined for none. */
  readonly filter: Filter | undefined;
  /** The mask of signals that the program is to start with. */
  readonly signals: InheritedSignals;
  /** What runs the plan's hooks, if it has any, and the state of the container that they are told. */
  readonly hooks?: ContainerHooks | undefined;
  readonly uncommon?: Uncommon | undefined;
  /** Whether each step is an event. */
  readonly tellsSteps?: boolean;
  /** Has systemd put the first process into the cgroup of the plan's unit. */
  readonly enterUnit?: ((pid: number) => void) | undefined;
  /** Where the container waits for its start; without one it starts at once. */
  readonly gate?: Handle | undefined;
  /** Takes the descriptor on which calls of the process are announced, by its number there. */
  readonly listener?: ((child: Child, fd: number) => void) | undefined;
  /** Whether the container ends with this process; unless told, it does. */
  readonly diesWithSupervisor?: boolean;
  /** How many descriptors from 3 on the program is to have. */
  readonly preservedFds?: number;
  /** Descriptors that become the program's standard streams, where it has no terminal. */
  readonly streams?: readonly [number, number, number];
  /** Descriptors that only the supervisor may have: the new process closes them first. */
  readonly ownHandles: readonly Handle[];
  /** Called when the root and the network are made, before the program goes; with the terminal's master, if it has one. */
  readonly rooted: (attached: Attached | undefined, terminal: Handle | undefined, child: Child) => void;
  /** Called when a container with a gate waits there, before it is left alone: to record it. */
  readonly ready?: (child: Child) => void;
  /** Called between the clone and the rest, with the new process's pid: to record it. */
  readonly born: (pid: number) => void;
}

export interface Launched {
  readonly child: Child;
  /** The terminal's master, if the program has a terminal. */
  readonly terminal: Handle | undefined;
}

/** A detached mount of the directory that is to be the root. */
export function openDirectoryRoot(path: string): Handle {
  try {
    return cloneHostTree(path, { recursive: true });
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR"))
      throw new Failure(`there is no directory '${path}' to be the root`, { cause: error });
    throw error;
  }
}

/** Opens what is bound into the container, from the host's point of view and with its rights. */
function openBindSources(plan: Plan, maps: ContainerMaps | undefined): Map<BindStep, Handle> {
  const late = lateBinds(plan);
  const sources = makeDevices(plan.rootSteps, maps);
  for (const step of plan.rootSteps) {
    const isHost = step.do === "bind" && step.inside === undefined && !late.includes(step) && !sources.has(step);
    if (isHost) sources.set(step, openBindSource(step, maps));
  }
  return sources;
}

/** How the container's user namespace maps ids; undefined if it has none. */
function mapsOf({ idMaps }: Plan, joins: readonly Join[]): ContainerMaps | undefined {
  const user = joins.find(({ type }) => type === "user");
  return user === undefined ? idMaps : { namespace: user.handle };
}

/** Makes the cgroup; undefined where the container can be without it, and has to. */
function makeCgroup({ plan, emit }: LaunchOptions): CgroupPlan | undefined {
  if (plan.cgroup === undefined || plan.systemdUnit !== undefined) return undefined;
  try {
    for (const text of createCgroup(plan.cgroup)) emit({ kind: "warning", text });
    return plan.cgroup;
  } catch (error) {
    if (plan.cgroupIsOptional !== true || !(error instanceof Failure || isErrno(error))) throw error;
    emit({ kind: "warning", text: `the container has no cgroup: ${error.message}` });
    return undefined;
  }
}

/** What is to be done where the planned cgroup could not be made. */
function withoutOwnCgroup(asked: LaunchOptions): LaunchOptions {
  const { plan } = asked;
  if (plan.cgroup === undefined || plan.systemdUnit !== undefined) return asked;
  return { ...asked, plan: withoutCgroup(plan, plan.cgroup, readTextIfThere("/proc/self/cgroup") ?? "") };
}

/** Makes the container and lets its program go. Throws a Failure if that does not come to its end. */
export function launch(asked: LaunchOptions): Launched {
  if (asked.tellsSteps === true) tellSetup(asked);
  using stack = new DisposableStack();
  stack.use(asked.root);
  const cgroup = makeCgroup(asked);
  const options = cgroup === undefined ? withoutOwnCgroup(asked) : asked;
  const { plan } = options;
  const cgroupFd = cgroup === undefined ? undefined : openForClone(cgroup);
  if (cgroupFd !== undefined) stack.use(cgroupFd);
  const cgroupJoins = cgroup === undefined ? [] : openForJoin(cgroup);
  for (const handle of cgroupJoins) stack.use(handle);
  const joins = plan.namespaces.join.map(({ type, path }) => ({
    type,
    handle: stack.use(inStep(`opening the ${type} namespace ${path}`, () => openHost(path, O_RDONLY))),
  }));
  const maps = mapsOf(plan, joins);
  const bindSources = openBindSources(plan, maps);
  stack.defer(() => {
    for (const source of bindSources.values()) source.close();
  });
  const root = inUserNamespace(plan.namespaces) ? stack.use(lockRoot(asked.root, bindSources)) : asked.root;

  const [ours, theirs] = socketPair();
  stack.use(ours);
  stack.use(theirs);
  if (plan.idMaps !== undefined) giveStreamsTo(plan, plan.idMaps.uids, options.streams);
  // Nobody in the container may look into our memory or at our files before the program runs (CVE-2016-9962, CVE-2019-5736).
  prctl(PR.setDumpable, 0);
  const ahead = joinsAhead(plan.namespaces);
  const child = ahead
    ? forkInside(joins, cloneFlags(plan.namespaces), cgroupFd?.fd, plan.process.keepsGroups === true)
    : fork(cloneFlags(plan.namespaces), cgroupFd?.fd);
  if (child === undefined) {
    ours.close();
    for (const handle of options.ownHandles) handle.close();
    if (options.streams !== undefined) useStreams(options.streams);
    return runInit({
      plan,
      handles: { root, bindSources, joins: ahead ? [] : joins, cgroupJoins },
      socketFd: theirs.fd,
      signals: options.signals,
      filter: options.filter,
      diesWithSupervisor: options.diesWithSupervisor !== false,
      preservedFds: options.preservedFds ?? 0,
      hooks: options.hooks,
      uncommon: options.uncommon,
      tellsSteps: options.tellsSteps,
      gate: options.gate,
    });
  }
  theirs.close();
  try {
    options.born(child.pid);
    return { child, terminal: complete(options, maps, child, ours.fd) };
  } catch (error) {
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    child.pidfd.close();
    throw error;
  }
}

/** All that is done around the new process while and after it makes its root. Returns its terminal. */
function complete(
  options: LaunchOptions,
  maps: ContainerMaps | undefined,
  child: Child,
  socketFd: number,
): Handle | undefined {
  const { plan, emit, hooks } = options;
  const listening: Listening = {
    warn: (text) => emit({ kind: "warning", text }),
    debug: (text) => emit({ kind: "debug", text }),
    listener: (fd) => options.listener?.(child, fd),
    map: (mount, index) => {
      const step = plan.rootSteps[index];
      if (step?.do === "bind") mapIdsOf(mount, step, maps);
    },
  };
  if (plan.process.oomScoreAdj !== undefined) setOomScore(child.pid, plan.process.oomScoreAdj);
  if (plan.systemdUnit !== undefined) enterUnit(options, child.pid);
  if (inUserNamespace(plan.namespaces)) raiseHardLimits(child.pid, plan.process.rlimits);
  if (plan.idMaps !== undefined) writeIdMaps(child.pid, plan.idMaps);
  if (isPlaced(plan)) sendPlace(plan, child.pid, socketFd);
  // While the container's process makes its root, the network is made.
  const attached = whileItLives(socketFd, () => attach(options, child.pid));
  if (hooks !== undefined && hasMountHooks(plan)) {
    awaitReport(socketFd, "mounted", listening);
    const state = hooks.state("creating", child.pid);
    hooks.run("prestart", plan.hooks?.prestart ?? [], state);
    hooks.run("createRuntime", plan.hooks?.createRuntime ?? [], state);
    send(socketFd, { say: "hooked", pid: child.pid });
  }
  for (const text of contradictions(plan.process.capabilities)) emit({ kind: "warning", text });
  const terminal = awaitReport(socketFd, "rooted", listening)?.fds[0];
  options.rooted(attached, terminal, child);
  sendGo(socketFd);
  if (options.gate !== undefined) {
    awaitReport(socketFd, "ready", listening);
    options.ready?.(child);
    send(socketFd, { say: "keep" });
    return terminal;
  }
  if (hooks !== undefined && (plan.hooks?.startContainer ?? []).length > 0) {
    awaitReport(socketFd, "ready", listening);
    send(socketFd, { say: "start", pid: child.pid });
  }
  awaitReport(socketFd, "end", listening);
  return terminal;
}

function tellSetup({ plan: { namespaces, cgroup, network, idMaps }, emit }: LaunchOptions): void {
  const debug = (text: string) => emit({ kind: "debug", text });
  debug(`nsexec container setup: new namespaces: ${namespaces.create.join(", ") || "none"}`);
  for (const { type, path } of namespaces.join) debug(`the ${type} namespace is that of ${path}`);
  if (idMaps !== undefined) debug(`ids mapped: ${idMaps.uids.length} ranges of users, ${idMaps.gids.length} of groups`);
  for (const { directory } of cgroup?.directories ?? []) debug(`cgroup ${directory}`);
  debug(`network: ${network.kind}`);
}

/** The process may have ended by now, having found that its program cannot run: what it said of that is waited for next. */
function sendGo(socketFd: number): void {
  try {
    send(socketFd, { say: "go" });
  } catch (error) {
    if (!isErrno(error, "EPIPE")) throw error;
  }
}

function sendPlace(plan: Plan, pid: number, socketFd: number): void {
  using stack = new DisposableStack();
  const late = lateBinds(plan).map((step) => [step, stack.use(openBindSource(step, plan.idMaps))] as const);
  const isLocked = late.length > 0 && inUserNamespace(plan.namespaces);
  const sources = isLocked ? lockSources(late).map((mount) => stack.use(mount)) : late.map(([, mount]) => mount);
  const ownsTime = plan.idMaps !== undefined && plan.namespaces.create.includes("time");
  const offsets = ownsTime ? [stack.use(openOffsetsOf(pid)).fd] : [];
  send(socketFd, { say: "placed" }, [...sources.map(({ fd }) => fd), ...offsets]);
}

/** systemd makes a unit's cgroup, with the process in it; what it does not know of limits and hierarchies is ours to add. */
function enterUnit({ plan, emit, enterUnit }: LaunchOptions, pid: number): void {
  if (plan.cgroup === undefined) return;
  enterUnit?.(pid);
  for (const text of createCgroup(plan.cgroup, { adopted: true })) emit({ kind: "warning", text });
  if (plan.cgroup.layout !== "v2") addProcess(plan.cgroup, pid);
}

/** Runs what needs the new process. If that fails because the process has ended, what it said of its end is the error. */
function whileItLives<T>(socketFd: number, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const told = waitReadable(socketFd, 0) ? receive<Report>(socketFd)?.message : undefined;
    throw told?.say === "failed" ? failureOf(told) : error;
  }
}

function attach({ plan: { network }, attachNetwork }: LaunchOptions, pid: number): Attached | undefined {
  if (network.kind !== "bridge") return undefined;
  if (attachNetwork === undefined) throw new Error("a bridge is planned, and nobody attaches to it");
  return inStep("network", () => attachNetwork(network, pid));
}

/** From inside of a user namespace that does not know their owner, they could not be given away. */
function giveStreamsTo({ process }: Plan, uids: readonly IdMapping[], streams: readonly number[] | undefined): void {
  const uid = hostIdOf(process.user.uid, uids);
  if (uid !== undefined && !process.terminal) giveStreams(uid, streams);
}

function useStreams(streams: readonly [number, number, number]): void {
  streams.forEach((fd, index) => {
    placeAt(fd, index);
  });
}
