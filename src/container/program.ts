/**
 * From a process with all privileges of its namespaces to the user's program: what it may not have is given up, in the order
 * that capabilities(7), prctl(2) and seccomp(2) ask for. Used by a container's first process and by exec.
 */
import { EXIT, Failure, shortened } from "../failure.ts";
import { applyCapabilities, CAPABILITY_NAMES, dropBoundingSet } from "../isolation/capabilities.ts";
import { applyRlimits } from "../isolation/rlimits.ts";
import { type Filter, installFilter } from "../isolation/seccomp/install.ts";
import { decode } from "../linux/door.ts";
import { errnoName, errnoText } from "../linux/errno.ts";
import { attempt, call, isErrno } from "../linux/error.ts";
import { AT_FDCWD, type Handle, placeAt } from "../linux/fd.ts";
import { closeFromBut, execve, exit, PR, prctl, setGroups, setIds, setsid } from "../linux/process.ts";
import { resetDispositions, restoreMask, SIG } from "../linux/signal.ts";
import { parseStatx, STATX_WANTED, statxWords } from "../linux/status.ts";
import { takeControl } from "../linux/tty.ts";
import type { ProcessPlan } from "../plan/plan.ts";
import { hear, tell } from "./channel.ts";
import { giveStreams } from "./own-streams.ts";
import type { Uncommon } from "./plan-uncommon.ts";
import { stayAsInit } from "./reaper.ts";

/** How our caller has set signals up. */
export interface InheritedSignals {
  /** Blocked; the program starts with the same. */
  readonly mask: Uint8Array;
  /** Ignored; the program starts with the default. */
  readonly ignored: readonly number[];
}

export interface LastStop {
  /** To whoever has let the process go on. */
  readonly socketFd: number | undefined;
  /** What is still to be done, as confined as the program is, which has that environment. */
  readonly confined?: (env: readonly string[]) => void;
}

export interface ProgramContext {
  /** The terminal that becomes its standard streams. */
  readonly terminal?: Handle | undefined;
  readonly signals: InheritedSignals;
  /** Compiled before the process was made; undefined for none. */
  readonly filter: Filter | undefined;
  /** Whether the kernel kills it when the process that made it ends. */
  readonly diesWithSupervisor: boolean;
  /** To whoever made the process; it stays open until the program runs. */
  readonly socketFd: number;
  /** How many descriptors from 3 on the program is to have. */
  readonly preservedFds?: number;
  readonly uncommon?: Uncommon | undefined;
  /** Waits until all that is outside is done; nothing of the user's may run before. Exec has nothing to wait for. */
  readonly awaitGo?: () => void;
  /** The last stop before the program: a container that was made and is to be started by somebody else waits here. */
  readonly beforeProgram?: () => LastStop;
  /** Where steps are told to the other side: the last of them. */
  readonly lastStep?: string | undefined;
  /** What else may not be closed until then. */
  readonly keptFds?: readonly number[];
}

const DEFAULT_UMASK = 0o022;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
const FIRST_OTHER_FD = 3;
const ROOT = 0;
const X_OK = 1;
const AT_EACCESS = 0x200;
const [EPERM, ENOENT, EACCES, ENOEXEC, ENOTDIR, ENOSYS, ELOOP] = [1, 2, 13, 8, 20, 38, 40];

/** Becomes the program of the plan, or throws a Failure that says why not. */
export function becomeProgram(plan: ProcessPlan, context: ProgramContext): never {
  if (plan.user.uid !== ROOT && context.terminal === undefined) giveStreams(plan.user.uid);
  if (plan.init) {
    stayAsInit(() => {
      // The first process of `--init` calls nothing that is worth announcing, and has nobody to tell.
      giveUpPrivileges(plan, { filter: context.filter });
      if (plan.noNewPrivileges) install(context.filter, undefined);
    });
  }
  setsid();
  // A session keyring of its own: the caller's keys are not the container's. Kernels without keyrings have none to hide.
  if (plan.newKeyring !== false) attempt("keyctl", KEYCTL_JOIN_SESSION_KEYRING, null);
  if (context.terminal !== undefined) useTerminal(context.terminal, plan.user.uid);
  // Before any path of the image's is looked up: by /proc/self/fd/N it could lead through what is open here to the host,
  // and that execve(2) closes it comes too late (CVE-2024-21626).
  closeFromBut(FIRST_OTHER_FD + (context.preservedFds ?? 0), [context.socketFd, ...(context.keptFds ?? [])]);
  const warn = (text: string) => tell(context.socketFd, { say: "warning", text });
  if (context.lastStep !== undefined) tellLastSteps(plan, context, context.lastStep);
  for (const warning of applyRlimits(plan.rlimits)) warn(warning);
  context.uncommon?.applyToProgram();
  const env = withHome(plan.env, context.uncommon?.home);
  const entered = enterDirectory(plan.cwd, { again: true });
  // A filter may forbid to wait, and what it announces is answered by the same side.
  const isFilteredEarly = !plan.noNewPrivileges && context.filter !== undefined;
  if (isFilteredEarly) context.awaitGo?.();
  const lacking = giveUpPrivileges(plan, context);
  if (lacking.length > 0 && !isPrivileged(plan))
    warn(`capabilities that this machine does not give: ${lacking.join(", ")}`);
  if (!entered) enterDirectory(plan.cwd, { again: false });
  call("umask", "", plan.user.umask ?? DEFAULT_UMASK);
  // Changing ids has cleared it.
  prctl(PR.setPdeathsig, context.diesWithSupervisor ? SIG.KILL : 0);
  const path = findProgram(plan, context);
  if (!isFilteredEarly) context.awaitGo?.();
  const { socketFd, confined }: LastStop = context.beforeProgram?.() ?? { socketFd: context.socketFd };
  try {
    if (plan.noNewPrivileges) install(context.filter, socketFd);
    confined?.(env);
    resetDispositions(context.signals.ignored);
    restoreMask(context.signals.mask);
    const errno = -execve(path, plan.args, env);
    throw notExecuted(plan.args[0] ?? "", errno, mayExecute(path) === 0 && isFile(path));
  } catch (error) {
    reportFailure(socketFd, error);
  }
}

/** All at once, while nothing is limited yet: under the program's filter of calls there may be no telling. */
function tellLastSteps(plan: ProcessPlan, { socketFd, filter }: ProgramContext, last: string): void {
  const debug = (text: string) => tell(socketFd, { say: "debug", text });
  const { uid, gid } = plan.user;
  debug(`user ${uid}:${gid}, working directory ${plan.cwd}, ${plan.env.length} variables`);
  debug(`capabilities: ${(plan.capabilities.bounding ?? []).join(", ") || "none"}`);
  if (filter !== undefined) debug(`seccomp filter flags: ${filter.flags}`);
  debug(last);
}

function withHome(env: readonly string[], home: (() => string) | undefined): readonly string[] {
  return home === undefined ? env : [...env.filter((entry) => entry !== "HOME="), `HOME=${home()}`];
}

/** Tells the other side, if there is one, why the program does not run, and ends. */
export function reportFailure(socketFd: number | undefined, error: unknown): never {
  const failure =
    error instanceof Failure ? error : new Failure(error instanceof Error ? error.message : String(error));
  const { exitCode, hint, program } = failure;
  const message = shortened(failure.message);
  if (socketFd !== undefined) tell(socketFd, { say: "failed", message, exitCode, hint, program });
  exit(exitCode);
}

/**
 * Gives up what the plan does not leave, in the order that each step still has the privilege that it needs.
 * Returns the capabilities that were asked for and could not be had.
 */
function giveUpPrivileges(
  plan: ProcessPlan,
  { filter, socketFd }: { filter: Filter | undefined; socketFd?: number },
): string[] {
  // Before there is a filter, which could make it seem that there is nothing to drop.
  dropBoundingSet(plan.capabilities.bounding ?? []);
  // Without no_new_privs a filter needs CAP_SYS_ADMIN, which is still there now; with it, the later the better.
  if (!plan.noNewPrivileges) install(filter, socketFd);
  prctl(PR.setKeepcaps, 1);
  if (plan.keepsGroups !== true) setGroups(plan.user.additionalGids ?? []);
  setIds(plan.user.uid, plan.user.gid);
  const lacking = applyCapabilities(plan.capabilities);
  if (plan.noNewPrivileges) prctl(PR.setNoNewPrivs, 1);
  return lacking;
}

/** Installs a filter; where it announces calls, the other side is told on which descriptor, and takes it. */
function install(filter: Filter | undefined, socketFd: number | undefined): void {
  if (filter === undefined) return;
  const listener = installFilter(filter);
  if (listener === undefined || socketFd === undefined) return;
  tell(socketFd, { say: "listener", fd: listener.fd });
  // Until it has been taken: then the other side answers. Without an agent, or without the other side, nothing is to run.
  if (hear(socketFd) === undefined) exit(1);
  listener.close();
}

/** Whether all capabilities were asked for: then it is those that there are. */
function isPrivileged(plan: ProcessPlan): boolean {
  return (plan.capabilities.bounding ?? []).length === CAPABILITY_NAMES.length;
}

function useTerminal(terminal: Handle, uid: number): void {
  takeControl(terminal.fd);
  // Its group stays: the one that the mount of devpts gives (`gid=5`), not the program's.
  call("fchown", "terminal", terminal.fd, uid, -1);
  for (const fd of [0, 1, 2]) placeAt(terminal.fd, fd);
}

/**
 * Enters the working directory, and makes sure that it lies inside the root (CVE-2024-21626). The first attempt comes
 * before the filter of system calls, which may not allow getcwd(2). `again`: there is a second, with the ids of the user,
 * to whom alone it may be open; false is returned if it is needed.
 */
function enterDirectory(path: string, { again }: { again: boolean }): boolean {
  try {
    call("chdir", path, path);
  } catch (error) {
    if (!isErrno(error)) throw error;
    if (again && error.code === "EACCES") return false;
    throw new Failure(`working directory '${path}': ${errnoText(error.code)}`, {
      hint: "name a directory of the image with --workdir",
      exitCode: error.code === "EACCES" ? EXIT.notExecutable : EXIT.notFound,
      cause: error,
    });
  }
  const buffer = new Uint8Array(4096);
  const length = call("getcwd", path, buffer, buffer.length);
  if (!decode(buffer, 0, length - 1).startsWith("/")) {
    throw new Failure(`working directory '${path}' is outside of the container: refused`);
  }
  return true;
}

/** The file that the first argument means: as it is if it has a slash, else from PATH (execvp(3)). */
function findProgram(plan: ProcessPlan, context: ProgramContext): string {
  const name = plan.args[0];
  if (name === "") throw notExecuted(name, ENOENT);
  if (name === undefined) {
    throw new Failure("there is no command to run", { hint: "name one after the image, as in 'run busybox sh'" });
  }
  // What cannot be executed at all is told now, and not when the container is started.
  if (name.includes("/")) {
    const result = context.beforeProgram === undefined ? 0 : mayExecute(name);
    if (result < 0) throw notExecuted(name, -result);
    if (context.beforeProgram !== undefined && !isFile(name)) throw notExecuted(name, EACCES);
    return name;
  }
  const path = plan.env.find((entry) => entry.startsWith("PATH="))?.slice(5) ?? "";
  let refused = 0;
  for (const directory of path.split(":")) {
    const candidate = `${directory === "" ? "." : directory}/${name}`;
    const result = mayExecute(candidate);
    if (result === 0 && isFile(candidate)) return candidate;
    if (result === -EACCES) refused = EACCES;
  }
  throw notExecuted(name, refused === 0 ? ENOENT : refused);
}

/** 0 or -errno. The container's filter may be older than faccessat2(2); our real ids are the effective ones. */
function mayExecute(path: string): number {
  const result = attempt("faccessat2", AT_FDCWD, path, X_OK, AT_EACCESS);
  return result === -EPERM || result === -ENOSYS ? attempt("faccessat", AT_FDCWD, path, X_OK) : result;
}

/** Opens nothing: the limits of the program hold already. Where a filter forbids the question, execve(2) answers it. */
function isFile(path: string): boolean {
  const status = statxWords();
  const result = attempt("statx", AT_FDCWD, path, 0, STATX_WANTED, status);
  return result === 0 ? parseStatx(status).type === "file" : result === -EPERM || result === -ENOSYS;
}

function notExecuted(name: string, errno: number, found = false): Failure {
  const missing = errno === ENOENT || errno === ENOTDIR || errno === ELOOP;
  let reason = errnoText(errnoName(errno));
  if (errno === ENOENT)
    reason = name.includes("/") ? "no such file, or no interpreter for it" : "command not found in the image";
  return new Failure(`cannot run '${name}': ${reason}`, {
    hint: hintFor(errno),
    exitCode: missing ? EXIT.notFound : EXIT.notExecutable,
    program: { name, code: errnoName(errno), found },
  });
}

function hintFor(errno: number): string | undefined {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return "check its name, and that the image has it";
    case EACCES:
      return "it is not executable for this user: see its mode in the image";
    case ENOEXEC:
      return "it is no program for this machine; a script needs a #! line";
    default:
      return undefined;
  }
}
