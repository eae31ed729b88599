/**
 * Hooks: programs of whoever wrote the config, run at points of a container's life (runtime-spec config.md#posix-platform-hooks).
 * For the host's side and for a container's first process alike; in which namespaces and directory a hook runs is its
 * caller's matter. What a hook says is kept for the error's text only.
 */
import { Failure } from "../failure.ts";
import { decode, environ, utf8 } from "../linux/door.ts";
import { errnoName, errnoText } from "../linux/errno.ts";
import { attempt } from "../linux/error.ts";
import { EventLoop, HANGUP, WRITABLE } from "../linux/eventloop.ts";
import { duplicate, type Handle, placeAt, setNonblocking } from "../linux/fd.ts";
import { pipe } from "../linux/io.ts";
import {
  type Child,
  closeFromBut,
  type Ending,
  execve,
  exit,
  fork,
  kill,
  sendSignal,
  setsid,
  waitFor,
} from "../linux/process.ts";
import { ignoreSignal, resetDispositions, restoreDisposition, restoreMask, SIG, signalName } from "../linux/signal.ts";
import type { Hook, HookKind } from "../spec/config.ts";
import type { HookState } from "./hook-state.ts";

/** Of each of a hook's streams, this much is kept; the rest is read and dropped. */
const OUTPUT_LIMIT_BYTES = 64 * 1024;
const CHUNK_BYTES = 16 * 1024;
/** pipe(7). */
const PIPE_BYTES = 64 * 1024;
const FIRST_OTHER_FD = 3;
const LAST_SIGNAL = 64;
/** What a shell says of a program that it cannot execute; told by the pipe of errors besides. */
const NOT_EXECUTED = 127;
const [EAGAIN, EPERM] = [11, 1];

export interface HookOptions {
  /** `throw`: the first failure is the operation's, and no further hook runs. `warn`: it is told, and the next one runs. */
  readonly onFailure: "throw" | "warn";
  readonly warn: (text: string) => void;
  /** What hooks have that name no environment of their own; unless told, ours. */
  readonly env?: readonly string[] | undefined;
}

/**
 * Runs hooks one after another, each to its end.
 * @param stateJson what each reads on its standard input (hook-state.ts)
 * @throws Failure `error running KIND hook #N: ...`, N from 0 as with runc
 */
export function runHooks(
  kind: HookKind,
  hooks: readonly Hook[] | undefined,
  stateJson: string,
  options: HookOptions,
): void {
  if (hooks === undefined || hooks.length === 0) return;
  // A hook may end without having read its input.
  const before = ignoreSignal(SIG.PIPE);
  try {
    hooks.forEach((hook, index) => {
      const wrong = runHook(hook, stateJson, options.env ?? environ);
      if (wrong === undefined) return;
      const text = `error running ${kind} hook #${index}: ${wrong}`;
      if (options.onFailure === "throw") throw new Failure(text);
      options.warn(text);
    });
  } finally {
    restoreDisposition(SIG.PIPE, before);
  }
}

/** Hooks run by whoever makes a container, which knows what is done about failures. */
export type RunHooks = (kind: HookKind, hooks: readonly Hook[], stateJson: string, env?: readonly string[]) => void;

/** A container's hooks: what runs them, and the state of the container that they are told, by what its first process is called. */
export interface ContainerHooks {
  readonly run: RunHooks;
  readonly state: (status: HookState["status"], pid: number) => string;
}

/** Which failures are an operation's, by the specification: runtime.md#lifecycle. */
export function failureOfHooks(kind: HookKind): HookOptions["onFailure"] {
  return kind === "poststop" ? "warn" : "throw";
}

/** What a shell says of the signals that end hooks. */
const SIGNAL_TEXTS: Readonly<Record<string, string>> = {
  SIGABRT: "aborted",
  SIGKILL: "killed",
  SIGSEGV: "segmentation fault",
  SIGSYS: "bad system call",
  SIGTERM: "terminated",
};

function describeSignal(signal: number): string {
  const name = signalName(signal);
  const text = SIGNAL_TEXTS[name];
  return text === undefined ? name : `${name} (${text})`;
}

/** How a hook ended and what it said, as text; undefined if it succeeded. Pure. */
export function hookFailure(
  hook: Hook,
  told: { ending: Ending; timedOut: boolean; refused: number; stdout: string; stderr: string },
): string | undefined {
  const { ending, timedOut, refused, stdout, stderr } = told;
  if (refused !== 0) return `fork/exec ${hook.path}: ${errnoText(errnoName(refused))}`;
  if (timedOut) return `hook ran past specified timeout of ${(hook.timeout ?? 0).toFixed(1)}s`;
  if (ending.kind === "exited" && ending.status === 0) return undefined;
  const how = ending.kind === "exited" ? `exit status ${ending.status}` : `signal: ${describeSignal(ending.signal)}`;
  return `${how}, stdout: ${stdout.trimEnd()}, stderr: ${stderr.trimEnd()}`;
}

/** The ends of a hook's pipes that are ours. */
interface Ends {
  readonly stdin: Handle;
  readonly stdout: Handle;
  readonly stderr: Handle;
  /** Ends without a word when the hook has been executed; else it brings the errno. */
  readonly refused: Handle;
}

function runHook(hook: Hook, stateJson: string, env: readonly string[]): string | undefined {
  using stack = new DisposableStack();
  const owned = (pair: [Handle, Handle]): [Handle, Handle] => [stack.use(pair[0]), stack.use(pair[1])];
  const [stdinOfHook, stdin] = owned(pipe());
  const [stdout, stdoutOfHook] = owned(pipe());
  const [stderr, stderrOfHook] = owned(pipe());
  const [refused, refusedOfHook] = owned(pipe());
  const child = fork();
  if (child === undefined) {
    becomeHook(hook, env, [stdinOfHook.fd, stdoutOfHook.fd, stderrOfHook.fd], refusedOfHook.fd);
  }
  stack.use(child.pidfd);
  for (const handle of [stdinOfHook, stdoutOfHook, stderrOfHook, refusedOfHook]) handle.close();
  return hookFailure(hook, attend(child, hook.timeout, { stdin, stdout, stderr, refused }, utf8(stateJson)));
}

/** The forked process: it becomes the hook, or says why not, and ends. */
function becomeHook(hook: Hook, env: readonly string[], streams: readonly number[], refusedFd: number): never {
  let errno = EPERM;
  try {
    // A session of its own: no terminal of ours, and a group that can be killed as a whole.
    setsid();
    // Ours may have low numbers themselves, where our caller had closed its streams.
    const refused = duplicate(refusedFd);
    const high = streams.map((fd) => duplicate(fd).fd);
    high.forEach((fd, index) => {
      placeAt(fd, index);
    });
    // That one closes itself. (CLOSE_RANGE_CLOEXEC, which would do for all, is of Linux 5.11.)
    closeFromBut(FIRST_OTHER_FD, [refused.fd]);
    const signals = Array.from({ length: LAST_SIGNAL }, (_, index) => index + 1);
    resetDispositions(signals.filter((signal) => signal !== SIG.KILL && signal !== SIG.STOP));
    restoreMask(new Uint8Array(8));
    errno = -execve(hook.path, hook.args?.length ? hook.args : [hook.path], hook.env ?? env);
    attempt("write", refused.fd, new Int32Array([errno]), 4);
  } catch {
    attempt("write", refusedFd, new Int32Array([errno]), 4);
  }
  exit(NOT_EXECUTED);
}

/** What a stream has said so far. */
class Output {
  readonly #bytes = new Uint8Array(OUTPUT_LIMIT_BYTES);
  #length = 0;

  /** Takes what is there, but no more than a pipe holds: who goes on writing is not waited for. False at the end. */
  drain(fd: number): boolean {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let taken = 0; taken < PIPE_BYTES; taken += CHUNK_BYTES) {
      const count = attempt("read", fd, chunk, chunk.length);
      if (count === -EAGAIN) return true;
      if (count <= 0) return false;
      const kept = Math.min(count, OUTPUT_LIMIT_BYTES - this.#length);
      this.#bytes.set(chunk.subarray(0, kept), this.#length);
      this.#length += kept;
    }
    return true;
  }

  text(): string {
    return decode(this.#bytes, 0, this.#length);
  }

  errno(): number {
    return this.#length < 4 ? 0 : new DataView(this.#bytes.buffer).getInt32(0, true);
  }
}

/**
 * Feeds the hook, takes what it says, and waits until it has ended (not: until all that it has left behind has closed the
 * pipes). One that runs too long is killed with its process group.
 */
function attend(child: Child, timeoutSeconds: number | undefined, ends: Ends, input: Uint8Array) {
  using loop = new EventLoop();
  const outputs = { stdout: new Output(), stderr: new Output(), refused: new Output() };
  for (const name of ["stdout", "stderr", "refused"] as const) {
    const { fd } = ends[name];
    setNonblocking(fd, true);
    loop.watch(fd, () => {
      if (!outputs[name].drain(fd)) loop.unwatch(fd);
    });
  }
  feed(loop, ends.stdin, input);
  loop.watch(child.pidfd.fd, () => loop.stop());
  let timedOut = false;
  if (timeoutSeconds !== undefined) {
    loop.after(timeoutSeconds * 1000, () => {
      timedOut = true;
      kill(-child.pid, SIG.KILL);
      sendSignal(child.pidfd.fd, SIG.KILL);
    });
  }
  loop.run();
  const ending = waitFor(child);
  for (const name of ["stdout", "stderr", "refused"] as const) outputs[name].drain(ends[name].fd);
  return {
    ending,
    timedOut,
    refused: outputs.refused.errno(),
    stdout: outputs.stdout.text(),
    stderr: outputs.stderr.text(),
  };
}

/** Writes as the hook reads. That it closes its end early is its own matter. */
function feed(loop: EventLoop, stdin: Handle, input: Uint8Array): void {
  let rest = input;
  const write = (): boolean => {
    const count = rest.length === 0 ? 0 : attempt("write", stdin.fd, rest, rest.length);
    if (count === -EAGAIN) return true;
    rest = rest.subarray(Math.max(count, 0));
    return count > 0 && rest.length > 0;
  };
  setNonblocking(stdin.fd, true);
  if (!write()) {
    stdin.close();
    return;
  }
  loop.watch(
    stdin.fd,
    () => {
      if (write()) return;
      loop.unwatch(stdin.fd);
      stdin.close();
    },
    WRITABLE | HANGUP,
  );
}
