/**
 * Processes: making, ending, waiting for them, and what belongs to one.
 */
import { addressOf, environ, utf8 } from "./door.ts";
import { attempt, call, isErrno, KernelError } from "./error.ts";
import { callForHandle, Handle } from "./fd.ts";
import { readText } from "./hostpath.ts";
import { struct } from "./struct.ts";

/** Flags of clone(2) for namespaces and descriptors. */
export const CLONE = {
  newTime: 0x80,
  vm: 0x100,
  files: 0x400,
  pidfd: 0x1000,
  vfork: 0x4000,
  parent: 0x8000,
  newMount: 0x20000,
  newCgroup: 0x2000000,
  newUts: 0x4000000,
  newIpc: 0x8000000,
  newUser: 0x10000000,
  newPid: 0x20000000,
  newNet: 0x40000000,
  intoCgroup: 0x200000000,
} as const;

const SIGCHLD = 17;
const ENOSYS = 38;

/** `struct clone_args`: clone(2). */
const cloneArgs = struct({
  flags: "u64",
  pidfd: "u64",
  childTid: "u64",
  parentTid: "u64",
  exitSignal: "u64",
  stack: "u64",
  stackSize: "u64",
  tls: "u64",
  setTid: "u64",
  setTidSize: "u64",
  cgroup: "u64",
});

export interface Child {
  readonly pid: number;
  readonly pidfd: Handle;
}

/**
 * Forks, into new namespaces if `flags` say so. The child goes on here, too: for it the result is undefined.
 * @param cgroupFd the cgroup v2 directory that the child is born into
 */
export function fork(flags = 0, cgroupFd?: number): Child | undefined {
  const pidfd = new Int32Array(1);
  const args = cloneArgs.encode({
    flags: flags + CLONE.pidfd + (cgroupFd === undefined ? 0 : CLONE.intoCgroup),
    pidfd: addressOf(pidfd),
    // A sibling (CLONE_PARENT) ends with the signal that we would end with.
    exitSignal: (flags & CLONE.parent) === 0 ? SIGCHLD : 0,
    cgroup: cgroupFd ?? 0,
  });
  const result = attempt("clone3", args, cloneArgs.size);
  // Filters of system calls that are older than the call refuse it in this way.
  const pid = result === -ENOSYS && cgroupFd === undefined ? cloneTheOldWay(flags, pidfd) : result;
  if (pid < 0) throw new KernelError("clone3", -pid, "");
  return pid === 0 ? undefined : { pid, pidfd: new Handle(pidfd[0] ?? -1) };
}

/** clone(2): its third argument is where the pidfd goes. */
function cloneTheOldWay(flags: number, pidfd: Int32Array): number {
  const exitSignal = (flags & CLONE.parent) === 0 ? SIGCHLD : 0;
  return attempt("clone", flags + CLONE.pidfd + exitSignal, null, pidfd, null, null);
}

/** Ends this process now; nothing below it on the stack runs. */
export function exit(status: number): never {
  attempt("exit_group", status);
  throw new Error("exit_group came back");
}

/** Strings as `char *const []`: an array of pointers that ends with NULL, with what it points to. */
function pointerArray(strings: readonly string[]): { pointers: BigUint64Array; keep: Uint8Array } {
  const pieces = strings.map((text) => {
    if (text.includes("\0")) throw new TypeError("a string with a NUL byte cannot be an argument or a variable");
    return utf8(text);
  });
  const keep = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length + 1, 1));
  const base = addressOf(keep);
  const pointers = new BigUint64Array(strings.length + 1);
  let at = 0;
  pieces.forEach((piece, index) => {
    pointers[index] = BigInt(base + at);
    keep.set(piece, at);
    at += piece.length + 1;
  });
  return { pointers, keep };
}

/** Becomes another program; comes back only with `-errno` (execve(2)). */
export function execve(path: string, argv: readonly string[], env: readonly string[] = environ): number {
  const args = pointerArray(argv);
  const variables = pointerArray(env);
  const result = attempt("execve", path, args.pointers, variables.pointers);
  // The buffers that the pointers lead to are in use until here.
  return args.keep.length + variables.keep.length > 0 ? result : 0;
}

const AT_EMPTY_PATH = 0x1000;

/** As `execve`, of an open file. */
export function execveFd(fd: number, argv: readonly string[], env: readonly string[] = environ): number {
  const args = pointerArray(argv);
  const variables = pointerArray(env);
  const result = attempt("execveat", fd, "", args.pointers, variables.pointers, AT_EMPTY_PATH);
  return args.keep.length + variables.keep.length > 0 ? result : 0;
}

/** How a process ended. */
export type Ending =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "killed"; readonly signal: number };

const P_PIDFD = 3;
const WNOHANG = 1;
const WEXITED = 4;
const SIGINFO_BYTES = 128;
const CLD_EXITED = 1;

function wait(idType: number, id: number, about: string, flags: number): Ending | undefined {
  const info = new Uint8Array(SIGINFO_BYTES);
  call("waitid", about, idType, id, info, WEXITED | flags, null);
  const view = new DataView(info.buffer);
  if (view.getInt32(16, true) === 0) return undefined;
  const status = view.getInt32(24, true);
  return view.getInt32(8, true) === CLD_EXITED ? { kind: "exited", status } : { kind: "killed", signal: status };
}

/** Waits for a child to end, and reaps it. */
export function waitFor(child: Child): Ending {
  return wait(P_PIDFD, child.pidfd.fd, `pid ${child.pid}`, 0) as Ending;
}

/** Reaps a child if it has ended; undefined if it still runs. */
export function reapIfEnded(child: Child): Ending | undefined {
  return wait(P_PIDFD, child.pidfd.fd, `pid ${child.pid}`, WNOHANG);
}

/** Reaps any child that has ended; undefined if none has, or there are none. */
export function reapAny(): { pid: number; ending: Ending } | undefined {
  const info = new Uint8Array(SIGINFO_BYTES);
  if (attempt("waitid", 0, 0, info, WEXITED | WNOHANG, null) < 0) return undefined;
  const view = new DataView(info.buffer);
  const pid = view.getInt32(16, true);
  if (pid === 0) return undefined;
  const status = view.getInt32(24, true);
  return {
    pid,
    ending: view.getInt32(8, true) === CLD_EXITED ? { kind: "exited", status } : { kind: "killed", signal: status },
  };
}

/** A shell's number for it: the status, or 128 and the signal. */
export function exitCodeOf(ending: Ending): number {
  return ending.kind === "exited" ? ending.status : 128 + ending.signal;
}

/** A descriptor of a process, or undefined if there is none with this pid. */
export function openPidfd(pid: number): Handle | undefined {
  const fd = attempt("pidfd_open", pid, 0);
  if (fd === -3 || fd === -22) return undefined;
  if (fd < 0) throw new KernelError("pidfd_open", -fd, `pid ${pid}`);
  return new Handle(fd);
}

/** Sends a signal by pidfd. Returns false if the process has ended. */
export function sendSignal(pidfd: number, signal: number): boolean {
  const result = attempt("pidfd_send_signal", pidfd, signal, null, 0);
  if (result < 0 && result !== -3) throw new KernelError("pidfd_send_signal", -result, `signal ${signal}`);
  return result === 0;
}

/**
 * A duplicate of another process's descriptor, CLOEXEC (pidfd_getfd(2), Linux 5.6).
 * @throws KernelError ESRCH (it has ended), EBADF (it has none with this number), EPERM (it may not be traced)
 */
export function takeDescriptor(pidfd: number, fd: number): Handle {
  return callForHandle("pidfd_getfd", `descriptor ${fd}`, pidfd, fd, 0);
}

export function kill(pid: number, signal: number): boolean {
  return attempt("kill", pid, signal) === 0;
}

/**
 * When a process was started, in clock ticks since boot: with its pid, this names a process for good
 * (proc_pid_stat(5), field 22). Undefined if there is no such process, or it is a zombie.
 */
export function startTimeOf(pid: number): number | undefined {
  const fields = statFields(pid);
  return fields === undefined || fields[0] === "Z" || fields[0] === "X" ? undefined : Number(fields[19]);
}

/** The fields of /proc/PID/stat from the third (state) on; undefined if there is no such process. */
export function statFields(pid: number | "self"): string[] | undefined {
  try {
    const text = readText(`/proc/${pid}/stat`);
    return text
      .slice(text.lastIndexOf(")") + 2)
      .trim()
      .split(" ");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

export const getpid = (): number => call("getpid", "");
export const getuid = (): number => call("getuid", "");
export const geteuid = (): number => call("geteuid", "");
export const getgid = (): number => call("getgid", "");
export const setsid = (): number => call("setsid", "");

/** Options of prctl(2). */
export const PR = {
  setPdeathsig: 1,
  getDumpable: 3,
  setDumpable: 4,
  setKeepcaps: 8,
  setName: 15,
  capbsetRead: 23,
  capbsetDrop: 24,
  setSecurebits: 28,
  setChildSubreaper: 36,
  setNoNewPrivs: 38,
  capAmbient: 47,
} as const;

export function prctl(option: number, ...args: number[]): number {
  const result = attempt("prctl", option, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, args[3] ?? 0);
  if (result < 0) throw new KernelError("prctl", -result, `option ${option}`);
  return result;
}

export function unshare(flags: number): void {
  call("unshare", "", flags);
}

/** Enters the namespaces that a descriptor stands for; `flags` limit which (with a pidfd: which of the process's). */
export function setns(fd: number, flags: number): void {
  call("setns", "", fd, flags);
}

export function setIds(uid: number, gid: number): void {
  call("setresgid", `gid ${gid}`, gid, gid, gid);
  call("setresuid", `uid ${uid}`, uid, uid, uid);
}

export function setGroups(gids: readonly number[]): void {
  call("setgroups", gids.join(","), gids.length, new Uint32Array(gids));
}

/** `struct rlimit64`. */
const rlimit = struct({ soft: "big64", hard: "big64" });

/** prlimit(2) on this process. Returns 0 or `-errno`. */
export function setLimit(resource: number, soft: bigint, hard: bigint, pid = 0): number {
  return attempt("prlimit64", pid, resource, rlimit.encode({ soft, hard }), null);
}

export function getLimit(resource: number, pid = 0): { soft: bigint; hard: bigint } {
  const out = new Uint8Array(rlimit.size);
  call("prlimit64", "", pid, resource, null, out);
  return rlimit.decode(out);
}

const LAST_FD = 0xffffffff;

/** Closes all descriptors from `first` on: what our caller left open to us. */
export function closeFrom(first: number): void {
  attempt("close_range", first, LAST_FD, 0);
}

/** As `closeFrom`, but for some. */
export function closeFromBut(first: number, kept: readonly number[]): void {
  let next = first;
  for (const fd of [...kept].sort((a, b) => a - b)) {
    if (fd > next) attempt("close_range", next, fd - 1, 0);
    next = Math.max(next, fd + 1);
  }
  closeFrom(next);
}
