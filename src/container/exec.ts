/**
 * Another program in a running container. Its process is born there as our own child, so that it is waited for and signalled as a
 * container's first process is: by this process, which enters and goes back (fork-entered.ts); or, where there is no way back, by
 * one in between that enters and ends (CLONE_PARENT).
 */
import { joinCgroup, openForClone } from "../cgroup/apply.ts";
import { type CgroupChoice, joining, openChosenForClone, openChosenForJoin } from "../cgroup/choice.ts";
import { unifiedCgroupOf } from "../cgroup/members.ts";
import { Failure } from "../failure.ts";
import { contradictions } from "../isolation/capabilities.ts";
import { hostIdOf, uidsOf } from "../isolation/idmap.ts";
import { asksForLabels, type LabelFacts, setExecLabels } from "../isolation/labels.ts";
import { flagOf } from "../isolation/namespaces.ts";
import { setOomScore, setOwnOomScore } from "../isolation/oom-score.ts";
import { openProcfs } from "../isolation/procfs.ts";
import type { Filter } from "../isolation/seccomp/install.ts";
import { call, isErrno } from "../linux/error.ts";
import { type Handle, placeAt } from "../linux/fd.ts";
import { openHost } from "../linux/hostpath.ts";
import { pipe, read, writeAll } from "../linux/io.ts";
import { filesystemOf, MAGIC } from "../linux/mount.ts";
import {
  type Child,
  CLONE,
  exit,
  fork,
  openPidfd,
  PR,
  prctl,
  sendSignal,
  setIds,
  setns,
  waitFor,
} from "../linux/process.ts";
import { O_DIRECTORY, O_PATH, openInRoot } from "../linux/rootpath.ts";
import { SIG } from "../linux/signal.ts";
import { socketPair } from "../linux/socket.ts";
import { keepNewlines, openPty, setWindowSize, type WindowSize } from "../linux/tty.ts";
import type { ProcessPlan } from "../plan/plan.ts";
import type { NamespaceType } from "../spec/config.ts";
import { awaitReport, type Listening, send } from "./channel.ts";
import { forkEntered, type Place, placeToReturn } from "./fork-entered.ts";
import { giveStreams } from "./own-streams.ts";
import type { Uncommon } from "./plan-uncommon.ts";
import { becomeProgram, type InheritedSignals, reportFailure } from "./program.ts";
import { isRunning, type ProcessName } from "./state.ts";

export interface ExecRequest {
  /** The container's first process. */
  readonly init: ProcessName | undefined;
  /** Those that the container has of its own or shares with another: they are entered. */
  readonly namespaces: readonly NamespaceType[];
  /** Undefined without cgroups. */
  readonly cgroup: CgroupChoice | undefined;
  readonly process: ProcessPlan;
  readonly detached: boolean;
  readonly streams: readonly [number, number, number];
  /** Of the program's terminal, if it has one. */
  readonly windowSize?: WindowSize | undefined;
  /** Whether that passes newlines on as they are: where what it says does not go to another terminal. */
  readonly keepsNewlines?: boolean;
  /** How many descriptors from 3 on the program is to have. */
  readonly preservedFds?: number;
  readonly signals: InheritedSignals;
  readonly filter: Filter | undefined;
  readonly uncommon?: Uncommon | undefined;
  /** Takes the descriptor on which calls of the program are announced, by its number there. */
  readonly listener?: ((child: Child, fd: number) => void) | undefined;
  /** Of the host: in the container they would be the container's word. */
  readonly labelFacts: LabelFacts;
  readonly warn: (text: string) => void;
  /** Takes the steps, where they are to be told. */
  readonly debug?: ((text: string) => void) | undefined;
}

export interface Executed {
  readonly child: Child;
  readonly terminal: Handle | undefined;
}

/** Runs a program in the container. Throws a Failure if it could not be started, or the container has ended. */
export function execute(request: ExecRequest): Executed {
  const { init, cgroup } = request;
  using pidfd = init === undefined ? undefined : openPidfd(init.pid);
  if (pidfd === undefined || !isRunning(init)) throw new Failure("the container has ended");
  request.debug?.(`nsexec container setup: entering the namespaces ${request.namespaces.join(", ")} of ${init?.pid}`);
  const [ours, theirs] = socketPair();
  using own = ours;
  const cgroupJoins = cgroup === undefined ? [] : openChosenForJoin(cgroup);
  prctl(PR.setDumpable, 0);
  const entry = { pidfd: pidfd.fd, cgroupJoins, ours, socketFd: theirs.fd };
  using stack = new DisposableStack();
  const place = placeToReturn(
    request.namespaces.filter((type) => type !== "cgroup"),
    stack,
  );
  const forked = place === undefined ? forkBetween(request, entry) : forkProgram(request, entry, place);
  theirs.close();
  for (const handle of cgroupJoins) handle.close();
  return "between" in forked ? throughBetween(request, forked.between, own.fd) : awaitProgram(request, forked, own.fd);
}

/** What a new process needs to become one of the container's. */
interface Entry {
  readonly pidfd: number;
  readonly cgroupJoins: readonly Handle[];
  /** This process's side of the channel, and the number of the other. */
  readonly ours: Handle;
  readonly socketFd: number;
}

/** The program's process, born in the container. */
function forkProgram(request: ExecRequest, { pidfd, cgroupJoins, ours, socketFd }: Entry, place: Place): Child {
  const { init, cgroup, namespaces, process } = request;
  using proc = process.oomScoreAdj === undefined ? undefined : openHost("/proc", O_PATH | O_DIRECTORY);
  const child = forkInCgroup(cgroup, init?.pid ?? 0, (into) => forkEntered(pidfd, place, () => fork(0, into)));
  if (child !== undefined) return child;
  ours.close();
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    joinCgroup(cgroupJoins);
    // From within it nobody is born in a cgroup where cgroup namespaces are borders (nsdelegate: cgroups(7)).
    if (namespaces.includes("cgroup")) setns(pidfd, flagOf("cgroup"));
    if (proc !== undefined && process.oomScoreAdj !== undefined) setOwnOomScore(proc, process.oomScoreAdj);
  } catch (error) {
    reportFailure(socketFd, error);
  }
  runProgram(request, socketFd);
}

/** The process in between. */
function forkBetween(request: ExecRequest, { pidfd, cgroupJoins, ours, socketFd }: Entry): { readonly between: Child } {
  const between = forkInCgroup(request.cgroup, request.init?.pid ?? 0, (into) => fork(0, into));
  if (between !== undefined) return { between };
  ours.close();
  enter(request, pidfd, cgroupJoins, socketFd);
}

function throughBetween(request: ExecRequest, between: Child, socketFd: number): Executed {
  try {
    const entered = awaitReport(socketFd, "entered", { warn: request.warn });
    const pidfd = entered?.fds[0];
    if (entered === undefined || pidfd === undefined) throw new Failure("the container ended while it was entered");
    return awaitProgram(request, { pid: entered.message.pid, pidfd }, socketFd);
  } catch (error) {
    sendSignal(between.pidfd.fd, SIG.KILL);
    throw error;
  } finally {
    waitFor(between);
    between.pidfd.close();
  }
}

/**
 * Forks into the cgroup, with version 2. A container may have made cgroups of its own below it and handed controllers down:
 * then no process can be in it any more (EBUSY); or it may have left it, and somebody has removed it (ENOENT). Unless another
 * was asked for, the new process is where the first one has gone.
 */
function forkInCgroup(
  choice: CgroupChoice | undefined,
  initPid: number,
  forkInto: (cgroupFd?: number) => Child | undefined,
): Child | undefined {
  if (choice === undefined) return forkInto();
  const forkThere = () => {
    using cgroup = openChosenForClone(choice);
    return forkInto(cgroup?.fd);
  };
  if (choice.isAsked) return joining(choice.path, forkThere);
  try {
    return forkThere();
  } catch (error) {
    const moved = isErrno(error, "EBUSY", "ENOENT") ? unifiedCgroupOf(initPid) : undefined;
    if (moved === undefined) throw error;
    using cgroup = openForClone(moved);
    return forkInto(cgroup?.fd);
  }
}

function awaitProgram(request: ExecRequest, child: Child, socketFd: number): Executed {
  for (const text of contradictions(request.process.capabilities)) request.warn(text);
  try {
    const listening: Listening = {
      warn: request.warn,
      debug: request.debug,
      listener: (fd) => request.listener?.(child, fd),
    };
    const terminal = request.process.terminal ? awaitReport(socketFd, "terminal", listening)?.fds[0] : undefined;
    awaitReport(socketFd, "end", listening);
    return { child, terminal };
  } catch (error) {
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    child.pidfd.close();
    throw error;
  }
}

/** Enters the container, makes the program's process there, and ends. */
function enter(request: ExecRequest, pidfd: number, cgroupJoins: readonly Handle[], socketFd: number): never {
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    joinCgroup(cgroupJoins);
    if (request.namespaces.includes("user")) giveStreamsTo(request);
    const { oomScoreAdj } = request.process;
    if (oomScoreAdj !== undefined) setOomScore("self", oomScoreAdj);
    setns(
      pidfd,
      request.namespaces.reduce((flags, type) => flags + flagOf(type), 0),
    );
    const [told, tell] = pipe();
    const program = fork(CLONE.parent);
    if (program === undefined) {
      tell.close();
      // What the program has to say comes after who it is: else nobody would reap it, and a container whose first process
      // has ended waits for the last of its processes to be reaped.
      if (read(told.fd, new Uint8Array(1)) === 0) exit(1);
      told.close();
      runProgram(request, socketFd);
    }
    send(socketFd, { say: "entered", pid: program.pid }, [program.pidfd.fd]);
    writeAll(tell.fd, "!");
    exit(0);
  } catch (error) {
    reportFailure(socketFd, error);
  }
}

/** From inside of a user namespace that does not know their owner, they could not be given away. */
function giveStreamsTo({ init, process, streams }: ExecRequest): void {
  const uid = init === undefined ? undefined : hostIdOf(process.user.uid, uidsOf(init.pid));
  if (uid !== undefined && !process.terminal) giveStreams(uid, streams);
}

function runProgram(request: ExecRequest, socketFd: number): never {
  try {
    if (request.debug !== undefined) send(socketFd, { say: "debug", text: "child process in init()" });
    let terminal: Handle | undefined;
    if (request.process.terminal) {
      // The terminal is to be one of the container's root, which may then give it to the program's user.
      if (request.namespaces.includes("user")) setIds(0, 0);
      using root = openInRoot(-100, "/", O_DIRECTORY);
      using pts = openInRoot(root.fd, "/dev/pts", O_DIRECTORY);
      if (filesystemOf(pts.fd).magic !== MAGIC.devpts)
        throw new Failure("the container has no /dev/pts for a terminal");
      const pty = openPty(pts.fd);
      if (request.windowSize !== undefined) setWindowSize(pty.slave.fd, request.windowSize);
      if (request.keepsNewlines === true) keepNewlines(pty.slave.fd);
      send(socketFd, { say: "terminal" }, [pty.master.fd]);
      pty.master.close();
      terminal = pty.slave;
    } else {
      request.streams.forEach((fd, index) => {
        placeAt(fd, index);
      });
    }
    if (asksForLabels(request.process)) {
      using procfs = openProcfs();
      setExecLabels(procfs, request.process, request.labelFacts);
    }
    call("umask", "", 0);
    becomeProgram(request.process, {
      terminal,
      signals: request.signals,
      filter: request.filter,
      diesWithSupervisor: !request.detached,
      socketFd,
      preservedFds: request.preservedFds ?? 0,
      uncommon: request.uncommon,
      lastStep: request.debug === undefined ? undefined : "setns_init: about to exec",
    });
  } catch (error) {
    reportFailure(socketFd, error);
  }
}
