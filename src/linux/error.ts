/**
 * The kernel's refusals as typed errors, and the one way to make a call that may be refused.
 */
import { type Argument, syscall } from "./door.ts";
import { errnoName, errnoText } from "./errno.ts";
import { type CallName, NR } from "./syscalls.ts";

/** A system call that failed: which, on what, with which error. */
export class KernelError extends Error {
  readonly call: CallName;
  /** The error's name: `"ENOENT"`. */
  readonly code: string;
  /** What the call was about: mostly a path. */
  readonly about: string;

  constructor(call: CallName, errno: number, about: string) {
    const code = errnoName(errno);
    super(`${call}${about === "" ? "" : ` ${about}`}: ${code} (${errnoText(code)})`);
    this.name = "KernelError";
    this.call = call;
    this.code = code;
    this.about = about;
  }
}

/** Whether an error is the kernel's refusal with one of these names (any, if none is given). */
export function isErrno(error: unknown, ...codes: string[]): error is KernelError {
  return error instanceof KernelError && (codes.length === 0 || codes.includes(error.code));
}

const EINTR = 4;

/**
 * Makes a call and returns its result; throws `KernelError` if the kernel refuses. Interrupted calls are made again.
 * The arguments have names since a list of them would have to be made for each call.
 * @param about what the call is about, for the error: mostly a path
 */
export function call(
  name: CallName,
  about: string,
  a?: Argument,
  b?: Argument,
  c?: Argument,
  d?: Argument,
  e?: Argument,
  f?: Argument,
): number {
  const number = NR[name];
  for (;;) {
    const result = syscall(number, a, b, c, d, e, f);
    if (result >= 0 || result < -4095) return result;
    if (result !== -EINTR) throw new KernelError(name, -result, about);
  }
}

/** As `call`, but gives back `-errno` for the errors that the caller expects and handles. */
export function attempt(
  name: CallName,
  a?: Argument,
  b?: Argument,
  c?: Argument,
  d?: Argument,
  e?: Argument,
  f?: Argument,
): number {
  const number = NR[name];
  for (;;) {
    const result = syscall(number, a, b, c, d, e, f);
    if (result !== -EINTR) return result;
  }
}
