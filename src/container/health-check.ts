/**
 * One health check: a program in the container, as `exec` makes it, by a process of its own. So whatever holds the program up (a
 * paused container, a file system that does not answer) holds nobody else up.
 */
import { EXIT, Failure } from "../failure.ts";
import { labelFacts } from "../isolation/labels.ts";
import { monotonicMs, wallClockMs } from "../linux/clock.ts";
import { decode } from "../linux/door.ts";
import { attempt } from "../linux/error.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { setNonblocking } from "../linux/fd.ts";
import { O_RDWR, openHost } from "../linux/hostpath.ts";
import { pipe, writeAll } from "../linux/io.ts";
import { type Ending, exit, exitCodeOf, fork, PR, prctl, reapIfEnded, sendSignal, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { type ExecRequest, execute } from "./exec.ts";
import type { HealthPlan, HealthResult } from "./health.ts";
import { supervise } from "./supervise.ts";

/** Where the program is run, and as what; its words come from the check. */
export type CheckTarget = Pick<ExecRequest, "init" | "namespaces" | "cgroup" | "process" | "signals" | "filter">;

/** As docker: what a program writes beyond is not kept. */
const OUTPUT_LIMIT_BYTES = 4096;
/** What a pipe holds: more is not taken from it once the program has ended, whoever else goes on writing. */
const PIPE_BYTES = 64 * 1024;
/** For a process that cannot end its program in time, to be ended itself. */
const GRACE_MS = 1000;
const TOO_LONG = -1;

/** What a program writes, up to a limit. */
class Output {
  readonly #kept = new Uint8Array(OUTPUT_LIMIT_BYTES);
  readonly #buffer = new Uint8Array(OUTPUT_LIMIT_BYTES);
  #length = 0;
  #isCut = false;

  /** Reads once; the number of bytes, not positive if there is nothing now. */
  take(fd: number): number {
    const count = attempt("read", fd, this.#buffer, this.#buffer.length);
    if (count <= 0) return count;
    const room = OUTPUT_LIMIT_BYTES - this.#length;
    this.#kept.set(this.#buffer.subarray(0, Math.min(count, room)), this.#length);
    this.#length += Math.min(count, room);
    this.#isCut ||= count > room;
    return count;
  }

  toString(): string {
    return `${decode(this.#kept, 0, this.#length)}${this.#isCut ? "..." : ""}`;
  }
}

/** Runs the check, and waits for its end or for the end of its time. */
export function runCheck(plan: HealthPlan, target: CheckTarget): { result: HealthResult; beganAtMs: number } {
  const [startMs, beganAtMs] = [wallClockMs(), monotonicMs()];
  const [readable, writable] = pipe();
  using from = readable;
  const worker = fork();
  if (worker === undefined) {
    readable.close();
    exit(runProgram(plan, target, writable.fd));
  }
  writable.close();
  using ended = worker.pidfd;
  using loop = new EventLoop();
  setNonblocking(from.fd, true);
  const output = new Output();
  let ending: Ending | undefined;
  loop.watch(from.fd, () => {
    if (output.take(from.fd) === 0) loop.unwatch(from.fd);
  });
  loop.watch(ended.fd, () => {
    ending = reapIfEnded(worker);
    if (ending !== undefined) loop.stop();
  });
  loop.after(plan.timeoutMs + GRACE_MS, () => sendSignal(ended.fd, SIG.KILL));
  loop.run();
  const status = exitCodeOf(ending ?? waitFor(worker));
  for (let left = PIPE_BYTES, count = 1; left > 0 && count > 0; left -= count) count = output.take(from.fd);
  const isLate = monotonicMs() - beganAtMs >= plan.timeoutMs;
  const told = `${output}`;
  return {
    beganAtMs,
    result: {
      startMs,
      endMs: wallClockMs(),
      exitCode: isLate ? TOO_LONG : status,
      output: isLate ? `Health check exceeded timeout (${plan.timeoutMs / 1000}s): ${told}` : told,
    },
  };
}

/** In the check's own process: runs the program, kills it when its time is over, and tells its exit status. */
function runProgram(plan: HealthPlan, target: CheckTarget, outputFd: number): number {
  const beganAtMs = monotonicMs();
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    using nothing = openHost("/dev/null", O_RDWR);
    const { child } = execute({
      ...target,
      process: { ...target.process, args: plan.command, terminal: false, init: false },
      detached: false,
      streams: [nothing.fd, outputFd, outputFd],
      labelFacts: labelFacts(),
      warn: () => {},
    });
    using loop = new EventLoop();
    const timeoutMs = Math.max(0, plan.timeoutMs - (monotonicMs() - beganAtMs));
    return exitCodeOf(supervise({ child, loop, signals: [], forward: false, timeoutMs }));
  } catch (error) {
    writeAll(outputFd, error instanceof Error ? error.message : String(error));
    return error instanceof Failure ? error.exitCode : EXIT.own;
  }
}
