/**
 * Signals: signal(7), signalfd(2).
 */
import { attempt, call } from "./error.ts";
import { callForHandle, type Handle } from "./fd.ts";
import { statFields } from "./process.ts";
import { struct } from "./struct.ts";

/** Numbers of x86_64 and aarch64 (the same): include/uapi/asm-generic/signal.h. */
const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
};
export const SIG = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  PIPE: 13,
  TERM: 15,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  WINCH: 28,
} as const;
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/** `"SIGTERM"`, `"term"`, `"15"`, `"RTMIN+3"` -> the number; undefined if there is no such signal. */
export function parseSignal(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= SIGRTMAX ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime !== null) {
    const base = realtime[1] === "MIN" ? SIGRTMIN : SIGRTMAX;
    const number = base + (realtime[2] === "-" ? -1 : 1) * Number(realtime[3] ?? 0);
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
  }
  return SIGNALS[name] ?? (name === "POLL" ? SIGNALS["IO"] : undefined);
}

/** `15` -> `"SIGTERM"`. */
export function signalName(number: number): string {
  for (const name in SIGNALS) if (SIGNALS[name] === number) return `SIG${name}`;
  return number >= SIGRTMIN ? `SIGRTMIN+${number - SIGRTMIN}` : `signal ${number}`;
}

const SIGSET_BYTES = 8;
const SIG_SETMASK = 2;

/** A set of signals as rt_sigprocmask(2) takes it. */
function signalSet(signals: readonly number[]): Uint8Array {
  return signals === FORWARDABLE ? FORWARDABLE_SET : makeSignalSet(signals);
}

function makeSignalSet(signals: readonly number[]): Uint8Array {
  const set = new Uint8Array(SIGSET_BYTES);
  for (const signal of signals) {
    const byte = (signal - 1) >> 3;
    set[byte] = (set[byte] ?? 0) | (1 << ((signal - 1) & 7));
  }
  return set;
}

/** Blocks exactly these signals. Returns the mask that held before, for `restoreMask`. */
export function blockExactly(signals: readonly number[]): Uint8Array {
  const before = new Uint8Array(SIGSET_BYTES);
  call("rt_sigprocmask", "", SIG_SETMASK, signalSet(signals), before, SIGSET_BYTES);
  return before;
}

/** The signals that are blocked now. */
export function currentMask(): Uint8Array {
  const mask = new Uint8Array(SIGSET_BYTES);
  call("rt_sigprocmask", "", SIG_SETMASK, null, mask, SIGSET_BYTES);
  return mask;
}

export function restoreMask(mask: Uint8Array): void {
  call("rt_sigprocmask", "", SIG_SETMASK, mask, null, SIGSET_BYTES);
}

/** All signals that can be blocked and that a terminal or a user sends: what a parent of a container forwards. */
export const forwardableSignals = (): readonly number[] => FORWARDABLE;

const FORWARDABLE: readonly number[] = findForwardable();
const FORWARDABLE_SET = makeSignalSet(FORWARDABLE);

function findForwardable(): number[] {
  const kept = new Set<number>([
    SIG.KILL,
    SIG.STOP,
    SIG.CHLD,
    SIGNALS["SEGV"] ?? 11,
    SIGNALS["ILL"] ?? 4,
    SIGNALS["BUS"] ?? 7,
    SIGNALS["FPE"] ?? 8,
    SIGNALS["TRAP"] ?? 5,
    SIGNALS["ABRT"] ?? 6,
  ]);
  const signals: number[] = [];
  for (let signal = 1; signal <= SIGRTMAX; signal++)
    if (!kept.has(signal) && (signal < 32 || signal >= SIGRTMIN)) signals.push(signal);
  return signals;
}

const SFD_CLOEXEC = 0o2000000;
const SFD_NONBLOCK = 0o4000;
const SIGINFO_BYTES = 128;
const EAGAIN = 11;

/** A descriptor that is readable when one of the (blocked) signals has come. */
export function signalDescriptor(signals: readonly number[]): Handle {
  return callForHandle("signalfd4", "", -1, signalSet(signals), SIGSET_BYTES, SFD_CLOEXEC | SFD_NONBLOCK);
}

/** `struct signalfd_siginfo`, its beginning. */
const signalInfo = struct({ signal: "u32", errno: "i32", code: "i32", pid: "u32", uid: "u32" });

/** The next signal that came, or undefined if there is none. */
export function nextSignal(fd: number): { signal: number; pid: number } | undefined {
  const buffer = new Uint8Array(SIGINFO_BYTES);
  const length = attempt("read", fd, buffer, buffer.length);
  if (length === -EAGAIN || length < SIGINFO_BYTES) return undefined;
  return signalInfo.decode(buffer);
}

const SIGACTION_BYTES = 32;

const SIG_IGN = 1;

/** Ignores a signal. Returns the disposition that held before, for `restoreDisposition`. */
export function ignoreSignal(signal: number): Uint8Array {
  const ignore = new Uint8Array(SIGACTION_BYTES);
  ignore[0] = SIG_IGN;
  const before = new Uint8Array(SIGACTION_BYTES);
  call("rt_sigaction", signalName(signal), signal, ignore, before, SIGSET_BYTES);
  return before;
}

export function restoreDisposition(signal: number, before: Uint8Array): void {
  call("rt_sigaction", signalName(signal), signal, before, null, SIGSET_BYTES);
}

/** Field 33 of proc_pid_stat(5), counted from the third: the signals that are ignored, as a mask of the first 31. */
const STAT_IGNORED = 30;
const LAST_STANDARD_SIGNAL = 31;

/** The signals that this process ignores, as its caller had it: nohup(1), some shells and CI systems do. */
export function ignoredSignals(): number[] {
  const mask = Number(statFields("self")?.[STAT_IGNORED] ?? 0);
  const ignored: number[] = [];
  for (let signal = 1; signal <= LAST_STANDARD_SIGNAL; signal++) {
    if ((Math.floor(mask / 2 ** (signal - 1)) & 1) === 1) ignored.push(signal);
  }
  return ignored;
}

/** Sets the dispositions of these signals back to the default, as a new program expects them. */
export function resetDispositions(signals: readonly number[]): void {
  const defaults = new Uint8Array(SIGACTION_BYTES);
  for (const signal of signals) call("rt_sigaction", signalName(signal), signal, defaults, null, SIGSET_BYTES);
}
