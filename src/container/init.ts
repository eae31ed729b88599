/**
 * The container's first process, from the clone to the user's program. It runs in its new namespaces with all privileges in
 * them, makes the root, and gives up what the program is not to have. Whatever fails is reported, and nothing of the user's
 * has run then.
 */
import { joinCgroup } from "../cgroup/apply.ts";
import { Failure } from "../failure.ts";
import { attachRoot, ContainerRoot, pivotTo } from "../isolation/apply-root.ts";
import { setAttributes } from "../isolation/attributes.ts";
import { asksForLabels, labelFacts, setExecLabels } from "../isolation/labels.ts";
import { flagOf } from "../isolation/namespaces.ts";
import { openProcfs, setSysctl, writeOwn } from "../isolation/procfs.ts";
import type { BindStep } from "../isolation/root-steps.ts";
import type { Filter } from "../isolation/seccomp/install.ts";
import { call } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { ATTR, MS, mount } from "../linux/mount.ts";
import { CLONE, exit, PR, prctl, setGroups, setIds, setns, unshare } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { setTitle } from "../linux/title.ts";
import { describeStep } from "../plan/describe.ts";
import type { Plan } from "../plan/plan.ts";
import type { NamespaceType } from "../spec/config.ts";
import { type Order, receive, send } from "./channel.ts";
import { becomeProgram, type InheritedSignals } from "./program.ts";

/** What the host's side has opened for the first process, which may not be able to open it itself. */
export interface InitHandles {
  readonly root: Handle;
  readonly bindSources: ReadonlyMap<BindStep, Handle>;
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
}

/** Runs what is to be done as a step with a name, which a failure then tells. */
export function inStep<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Waits for an order. If the other side is gone, so is this process: nothing may go on without its supervisor. */
function awaitOrder(socketFd: number, say: Order["say"]): void {
  const received = receive<Order>(socketFd);
  if (received?.message.say !== say) exit(1);
}

export function runInit(context: InitContext): never {
  const { socketFd } = context;
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    if (context.plan.process.init) setTitle("mycontainer-init");
    enterNamespaces(context);
    using root = new ContainerRoot(context.handles.root.fd, context.handles.bindSources);
    makeRoot(context, root);
    send(socketFd, { say: "rooted" }, root.pty === undefined ? [] : [root.pty.master.fd]);
    awaitOrder(socketFd, "go");
    becomeProgram(context.plan.process, {
      terminal: root.pty?.slave,
      signals: context.signals,
      filter: context.filter,
      diesWithSupervisor: true,
      socketFd,
      warn: (text) => send(socketFd, { say: "warning", text }),
    });
  } catch (error) {
    reportFailure(socketFd, error);
  }
}

/** Tells the other side why the program does not run, and ends. */
export function reportFailure(socketFd: number, error: unknown): never {
  const failure =
    error instanceof Failure ? error : new Failure(error instanceof Error ? error.message : String(error));
  send(socketFd, {
    say: "failed",
    message: failure.message,
    exitCode: failure.exitCode,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  });
  exit(failure.exitCode);
}

function enterNamespaces({ plan, handles, socketFd }: InitContext): void {
  joinCgroup(handles.cgroupJoins);
  if (plan.idMaps !== undefined) {
    awaitOrder(socketFd, "mapped");
    // Become the root of the new user namespace; the groups of the host's root are not the container's.
    setGroups([]);
    setIds(0, 0);
  }
  for (const { type, handle } of handles.joins) {
    if (type !== "pid") inStep(`entering the ${type} namespace`, () => setns(handle.fd, flagOf(type)));
  }
  // What is the root of a cgroup namespace is the cgroup of the process that makes it.
  if (plan.namespaces.create.includes("cgroup")) unshare(CLONE.newCgroup);
}

function makeRoot({ plan, handles }: InitContext, root: ContainerRoot): void {
  call("umask", "", 0);
  // No mount that is made here may reach the host: before the first one is made.
  mount("none", "/", null, MS.rec | MS.private);
  attachRoot(handles.root);
  // A directory's mount may be a peer of the host's: what is mounted in it would be mounted there, too.
  if (plan.root.kind === "directory") {
    setAttributes(handles.root.fd, "/", { propagation: MS.private, recursive: true });
  }
  for (const step of plan.rootSteps) inStep(describeStep(step), () => root.apply(step));
  if (plan.readonlyRoot) setAttributes(handles.root.fd, "/", { set: ATTR.rdonly });
  const { oomScoreAdj } = plan.process;
  const sysctls = Object.entries(plan.sysctls);
  if (sysctls.length > 0 || oomScoreAdj !== undefined || asksForLabels(plan.process)) {
    using procfs = openProcfs();
    for (const [name, value] of sysctls) inStep(`setting ${name}=${value}`, () => setSysctl(procfs, name, value));
    if (oomScoreAdj !== undefined) {
      inStep("setting the OOM score", () => writeOwn(procfs, "oom_score_adj", String(oomScoreAdj)));
    }
    if (asksForLabels(plan.process))
      inStep("setting the label", () => setExecLabels(procfs, plan.process, labelFacts()));
  }
  inStep("making the root file system the root", () => pivotTo(handles.root.fd));
  if (plan.hostname !== undefined) call("sethostname", plan.hostname, plan.hostname, plan.hostname.length);
  if (plan.domainname !== undefined) call("setdomainname", plan.domainname, plan.domainname, plan.domainname.length);
}
