/**
 * Health checks of a container that is supervised, in its supervisor's event loop. Each check is a process of its own: the
 * supervisor only starts it, and hears of its end.
 */
import { isFrozen } from "../cgroup/freeze.ts";
import { EXIT } from "../failure.ts";
import { monotonicMs, wallClockMs } from "../linux/clock.ts";
import type { EventLoop, Timer } from "../linux/eventloop.ts";
import { type Child, closeFrom, exit, fork, PR, prctl, reapIfEnded, sendSignal, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { type HealthPlan, healthPlanOf, pauseBeforeCheck } from "./health.ts";
import { type CheckTarget, runCheck } from "./health-check.ts";
import { recordResult } from "./health-file.ts";
import type { StateRoot } from "./paths.ts";
import type { ContainerState } from "./state.ts";

/** How a checking process tells the supervisor what has become of the container. */
const STILL_STARTING = 0;
const KNOWN = 1;
const FIRST_OTHER_FD = 3;

export interface HealthWatch {
  readonly root: StateRoot;
  readonly state: ContainerState;
  readonly target: CheckTarget;
}

/** Begins to check the container's health, if that is asked for; ends with the scope. */
export function watchHealth(loop: EventLoop, watch: HealthWatch): Disposable | undefined {
  const plan = healthPlanOf(watch.state.healthcheck);
  return plan === undefined ? undefined : new Checks(loop, watch, plan);
}

class Checks implements Disposable {
  readonly #loop: EventLoop;
  readonly #watch: HealthWatch;
  readonly #plan: HealthPlan;
  readonly #startedAtMs = monotonicMs();
  #isStarting = true;
  #timer: Timer | undefined;
  #checking: Child | undefined;

  constructor(loop: EventLoop, watch: HealthWatch, plan: HealthPlan) {
    this.#loop = loop;
    this.#watch = watch;
    this.#plan = plan;
    this.#pause();
  }

  #pause(): void {
    const pauseMs = pauseBeforeCheck(this.#plan, this.#isStarting, monotonicMs() - this.#startedAtMs);
    this.#timer = this.#loop.after(pauseMs, () => this.#begin());
  }

  #begin(): void {
    // What stands still on purpose is not ill.
    if (isFrozen(this.#watch.state.cgroupPath)) return this.#pause();
    try {
      const child = fork();
      if (child === undefined) exit(check(this.#watch, this.#plan));
      this.#checking = child;
      this.#loop.watch(child.pidfd.fd, () => this.#hear(child));
    } catch (error) {
      // No process can be made: the container's own work goes on, and this is a check that failed.
      this.#note(error);
      this.#pause();
    }
  }

  #hear(child: Child): void {
    const ending = reapIfEnded(child);
    if (ending === undefined) return;
    this.#loop.unwatch(child.pidfd.fd);
    child.pidfd.close();
    this.#checking = undefined;
    if (ending.kind === "exited" && ending.status === KNOWN) this.#isStarting = false;
    this.#pause();
  }

  #note(error: unknown): void {
    const { root, state } = this.#watch;
    const now = wallClockMs();
    const output = error instanceof Error ? error.message : String(error);
    const result = { startMs: now, endMs: now, exitCode: EXIT.own, output };
    recordResult(root, state.id, this.#plan, { result, beganAtMs: monotonicMs() });
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    const child = this.#checking;
    if (child === undefined) return;
    this.#loop.unwatch(child.pidfd.fd);
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    child.pidfd.close();
  }
}

/** In the checking process. */
function check({ root, state, target }: HealthWatch, plan: HealthPlan): number {
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    // The container's lock, ports and streams are its supervisor's alone.
    closeFrom(FIRST_OTHER_FD);
    const health = recordResult(root, state.id, plan, runCheck(plan, target));
    return health.status === "starting" ? STILL_STARTING : KNOWN;
  } catch {
    // The container is gone, or its disk is full: there is nobody to tell.
    return STILL_STARTING;
  }
}
