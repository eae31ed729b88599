/**
 * The container's first process, from the clone to the user's program. It runs in its new namespaces with all privileges in
 * them, makes the root, and gives up what the program is not to have. Whatever fails is reported, and nothing of the user's
 * has run then.
 */
import { joinCgroup } from "../cgroup/apply.ts";
import { Failure } from "../failure.ts";
import { attachRoot, ContainerRoot, pivotTo } from "../isolation/apply-root.ts";
import { asksForLabels, labelFacts, setExecLabels } from "../isolation/labels.ts";
import { flagOf, inUserNamespace } from "../isolation/namespaces.ts";
import { findDangerousMounts, moveTo, removeMount } from "../isolation/no-pivot.ts";
import { openProcfs, setSysctl } from "../isolation/procfs.ts";
import type { BindStep, RootStep } from "../isolation/root-steps.ts";
import type { Filter } from "../isolation/seccomp/install.ts";
import { setAttributes } from "../linux/attributes.ts";
import { utf8 } from "../linux/door.ts";
import { attempt, call } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { ATTR, MS, mount } from "../linux/mount.ts";
import { CLONE, exit, PR, prctl, setGroups, setIds, setns, unshare } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { setTitle } from "../linux/title.ts";
import { loopbackUp } from "../network/loopback.ts";
import { describeStep } from "../plan/describe.ts";
import type { Plan } from "../plan/plan.ts";
import type { NamespaceType } from "../spec/config.ts";
import { hear, type Order, receive, send, tell } from "./channel.ts";
import type { ContainerHooks } from "./hooks.ts";
import { useOwnNull } from "./own-null.ts";
import type { Uncommon } from "./plan-uncommon.ts";
import { becomeProgram, type InheritedSignals, type ProgramContext, reportFailure } from "./program.ts";
import { awaitStart } from "./start-gate.ts";

/** Whether the host's side must do something for the first process before that can go on. */
export function isPlaced(plan: Plan): boolean {
  return plan.idMaps !== undefined || plan.systemdUnit !== undefined;
}

/** What is bound and comes into being only with the first process: the cgroups of a unit that systemd makes. */
export function lateBinds({ systemdUnit, cgroup, rootSteps }: Plan): BindStep[] {
  if (systemdUnit === undefined || cgroup === undefined) return [];
  const late = new Set(cgroup.directories.map(({ directory }) => directory));
  return rootSteps.flatMap((step) => (step.do === "bind" && late.has(step.source) ? [step] : []));
}

/** Whether there are hooks for the moment when all is mounted and the root is not yet the container's. */
export function hasMountHooks({ hooks = {} }: Plan): boolean {
  return [hooks.prestart, hooks.createRuntime, hooks.createContainer].some((list) => (list ?? []).length > 0);
}

/** What the host's side has opened for the first process, which may not be able to open it itself. */
export interface InitHandles {
  readonly root: Handle;
  readonly bindSources: Map<BindStep, Handle>;
  /** Of the cgroups of version 1, which a process enters by itself. */
  readonly cgroupJoins: readonly Handle[];
  readonly joins: readonly { readonly type: NamespaceType; readonly handle: Handle }[];
}

export interface InitContext {
  readonly plan: Plan;
  readonly handles: InitHandles;
  readonly socketFd: number;
  readonly filter: Filter | undefined;
  /** The mask of signals that the program is to start with. */
  readonly signals: InheritedSignals;
  readonly diesWithSupervisor: boolean;
  /** How many descriptors from 3 on the program is to have. */
  readonly preservedFds: number;
  readonly uncommon?: Uncommon | undefined;
  /** Whether each step is told to the other side. */
  readonly tellsSteps?: boolean | undefined;
  /** Where the plan has hooks. */
  readonly hooks?: ContainerHooks | undefined;
  /** Where it waits to be started, if that is not to be at once. */
  readonly gate?: Handle | undefined;
}

/** Runs what is to be done as a step with a name, which a failure then tells. */
export function inStep<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw failedStep(name, error);
  }
}

function failedStep(name: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** Applies the steps of the root. Each is put into words only if it fails. */
function applySteps(context: InitContext, root: ContainerRoot): void {
  const { rootSteps } = context.plan;
  for (let index = 0; index < rootSteps.length; index++) {
    const step = rootSteps[index] as RootStep;
    if (context.tellsSteps === true) tellStep(context, describeStep(step));
    try {
      root.apply(step);
    } catch (error) {
      throw failedStep(describeStep(step), error);
    }
  }
}

/** Waits for an order. If the other side is gone, so is this process: nothing may go on without its supervisor. */
function awaitOrder<S extends Order["say"]>(socketFd: number, say: S): Extract<Order, { say: S }> {
  const order = hear(socketFd);
  if (order?.say !== say) exit(1);
  return order as Extract<Order, { say: S }>;
}

export function runInit(context: InitContext): never {
  const { socketFd } = context;
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    if (context.plan.process.init) setTitle("mycontainer-init");
    tellStep(context, "child process in init()");
    enterNamespaces(context);
    const locked = inUserNamespace(context.plan.namespaces);
    using root = new ContainerRoot(context.handles.root.fd, context.handles.bindSources, locked, (mount, step) => {
      send(socketFd, { say: "map", step: context.plan.rootSteps.indexOf(step) }, [mount.fd]);
      awaitOrder(socketFd, "mapped");
    });
    makeRoot(context, root);
    send(socketFd, { say: "rooted" }, root.pty === undefined ? [] : [root.pty.master.fd]);
    becomeProgram(context.plan.process, {
      // While the host's side does what is left to do, so does this one, up to the program itself.
      awaitGo: () => void awaitOrder(socketFd, "go"),
      terminal: root.pty?.slave,
      signals: context.signals,
      filter: context.filter,
      diesWithSupervisor: context.diesWithSupervisor,
      socketFd,
      preservedFds: context.preservedFds,
      uncommon: context.uncommon,
      lastStep: context.tellsSteps === true ? "init: closing the pipe to signal completion" : undefined,
      ...lastStop(context),
    });
  } catch (error) {
    reportFailure(socketFd, error);
  }
}

/** What comes between a container that is made and its program: waiting to be started, and hooks. */
function lastStop(context: InitContext): Partial<ProgramContext> {
  const { gate, socketFd, plan } = context;
  const hooks = plan.hooks?.startContainer ?? [];
  if (gate === undefined && hooks.length === 0) return {};
  // As with runc: those that name no environment have the program's.
  const runHooks = (pid: number, env: readonly string[]) =>
    context.hooks?.run("startContainer", hooks, context.hooks.state("created", pid), env);
  return {
    keptFds: gate === undefined ? [] : [gate.fd],
    beforeProgram: () => {
      tell(socketFd, { say: "ready" });
      const order = hear(socketFd);
      if (order?.say === "start") return { socketFd, confined: (env) => runHooks(order.pid, env) };
      if (order?.say !== "keep" || gate === undefined) exit(1);
      // From here on nobody is there but the engine above, which watches over its containers.
      prctl(PR.setPdeathsig, 0);
      attempt("close", socketFd);
      const { pid, channel } = awaitStart(gate);
      gate.close();
      return { socketFd: channel?.fd, confined: (env) => runHooks(pid, env) };
    },
  };
}

/** Waits until the host's side has done what only it can; with that comes what it has opened meanwhile. Returns the file of clock offsets, if it is there. */
function awaitPlace(plan: Plan, handles: InitHandles, socketFd: number): Handle | undefined {
  const received = receive<Order>(socketFd);
  if (received?.message.say !== "placed") exit(1);
  const late = lateBinds(plan);
  late.forEach((step, index) => {
    const source = received.fds[index];
    if (source !== undefined) handles.bindSources.set(step, source);
  });
  return received.fds[late.length];
}

function enterNamespaces({ plan, handles, socketFd, uncommon }: InitContext): void {
  joinCgroup(handles.cgroupJoins);
  using timeOffsets = isPlaced(plan) ? awaitPlace(plan, handles, socketFd) : undefined;
  if (inUserNamespace(plan.namespaces)) {
    // Become the root of the user namespace; the groups of the host's root are not the container's, but where they are asked for.
    if (plan.process.keepsGroups !== true) setGroups([]);
    setIds(0, 0);
  }
  for (const { type, handle } of handles.joins) {
    inStep(`entering the ${type} namespace`, () => setns(handle.fd, flagOf(type)));
  }
  if (plan.network.kind === "none") inStep("network", loopbackUp);
  // What is the root of a cgroup namespace is the cgroup of the process that makes it.
  if (plan.namespaces.create.includes("cgroup")) unshare(CLONE.newCgroup);
  if (uncommon?.enterTime !== undefined) {
    using procfs = openProcfs();
    uncommon.enterTime({ procfs, opened: timeOffsets });
  }
}

function tellStep({ tellsSteps, socketFd }: InitContext, text: string): void {
  if (tellsSteps === true) tell(socketFd, { say: "debug", text });
}

function makeRoot(context: InitContext, root: ContainerRoot): void {
  const { plan, handles, socketFd, hooks } = context;
  call("umask", "", 0);
  // No mount that is made here may reach the host: before the first one is made.
  mount("none", "/", null, MS.rec | MS.private);
  const dangerous = plan.noPivot === true ? findDangerousMounts() : [];
  // Hooks find what is mounted by the path of the root.
  const place = plan.root.kind === "directory" && plan.hooks !== undefined ? plan.root.path : "/";
  attachRoot(handles.root, place);
  // A directory's mount may be a peer of the host's: what is mounted in it would be mounted there, too.
  if (plan.root.kind === "directory") {
    setAttributes(handles.root.fd, "/", { propagation: plan.rootPropagation.initial, recursive: true });
  }
  applySteps(context, root);
  if (hasMountHooks(plan)) {
    tell(socketFd, { say: "mounted" });
    const { pid } = awaitOrder(socketFd, "hooked");
    // As with runc: such hooks name what they change in the root by its relative path.
    call("fchdir", "", handles.root.fd);
    hooks?.run("createContainer", plan.hooks?.createContainer ?? [], hooks.state("creating", pid));
  }
  if (plan.readonlyRoot) setAttributes(handles.root.fd, "/", { set: ATTR.rdonly });
  const sysctls = Object.entries(plan.sysctls);
  if (sysctls.length > 0 || asksForLabels(plan.process)) {
    using procfs = openProcfs();
    for (const [name, value] of sysctls) inStep(`setting ${name}=${value}`, () => setSysctl(procfs, name, value));
    if (asksForLabels(plan.process))
      inStep("setting the label", () => setExecLabels(procfs, plan.process, labelFacts()));
  }
  inStep("making the root file system the root", () => {
    for (const path of dangerous) removeMount(path);
    if (plan.noPivot === true) moveTo(handles.root.fd, place);
    else pivotTo(handles.root.fd);
  });
  useOwnNull();
  const { final } = plan.rootPropagation;
  if (final !== undefined) mount("none", "/", null, final);
  if (plan.hostname !== undefined) setName("sethostname", plan.hostname);
  if (plan.domainname !== undefined) setName("setdomainname", plan.domainname);
}

function setName(kind: "sethostname" | "setdomainname", name: string): void {
  const bytes = utf8(name);
  call(kind, name, bytes, bytes.length);
}
