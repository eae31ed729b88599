/**
 * Health checks: what is asked for, what comes of each result, and when the next one is due. Docker's rules. Pure.
 */
import { Failure } from "../failure.ts";
import type { Healthcheck } from "../spec/image.ts";

/** A check as it is carried out, with docker's defaults. */
export interface HealthPlan {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

const DEFAULTS = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  startPeriodMs: 0,
  startIntervalMs: 5000,
  retries: 3,
} as const;
const NS_PER_MS = 1e6;
const SHELL = ["/bin/sh", "-c"] as const;
/** How many results are kept. */
const RESULTS_LIMIT = 5;

/** What `run` was asked for and what its image asks for, together. Throws a Failure for times without a check. */
export function mergeHealthcheck(
  asked: Healthcheck | undefined,
  ofImage: Healthcheck | undefined,
): Healthcheck | undefined {
  if (asked === undefined) return ofImage;
  if (asked.Test?.[0] === "NONE") return asked;
  const merged = { ...ofImage, ...asked };
  if (merged.Test !== undefined) return merged;
  throw new Failure("there is no health check whose times could be set", {
    hint: "the image has none: add --health-cmd",
  });
}

/** Undefined where nothing is to be checked. Throws a Failure for a kind of check that there is not. */
export function healthPlanOf(check: Healthcheck | undefined): HealthPlan | undefined {
  const [kind, ...words] = check?.Test ?? [];
  if (check === undefined || kind === undefined || kind === "NONE") return undefined;
  if ((kind !== "CMD" && kind !== "CMD-SHELL") || words.length === 0) {
    throw new Failure(`the image has a health check of the unknown kind '${kind}'`, {
      hint: "run it with --no-healthcheck, or with a check of your own: --health-cmd",
    });
  }
  const ms = (nanoseconds: number | undefined, otherwise: number) =>
    nanoseconds === undefined || nanoseconds === 0 ? otherwise : nanoseconds / NS_PER_MS;
  return {
    command: kind === "CMD" ? words : [...SHELL, ...words.slice(0, 1)],
    intervalMs: ms(check.Interval, DEFAULTS.intervalMs),
    timeoutMs: ms(check.Timeout, DEFAULTS.timeoutMs),
    startPeriodMs: ms(check.StartPeriod, DEFAULTS.startPeriodMs),
    startIntervalMs: ms(check.StartInterval, DEFAULTS.startIntervalMs),
    retries: check.Retries || DEFAULTS.retries,
  };
}

/** A check whose text is for the shell that the image names (SHELL of a Dockerfile), as words; others as they are. Pure. */
export function inShellOf(
  shell: readonly string[] | undefined,
  check: Healthcheck | undefined,
): Healthcheck | undefined {
  const [kind, text] = check?.Test ?? [];
  if (shell === undefined || check === undefined || kind !== "CMD-SHELL" || text === undefined) return check;
  return { ...check, Test: ["CMD", ...shell, text] };
}

export interface HealthResult {
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  /** -1 if it took too long; 125 to 127 if it could not be made, as with `exec`. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly failingStreak: number;
  /** When the container's program was started, on the monotonic clock, which all processes share. */
  readonly startedAtMs: number;
  /** The last ones, the oldest first. */
  readonly results: readonly HealthResult[];
}

export const newHealth = (startedAtMs: number): Health => ({
  status: "starting",
  failingStreak: 0,
  startedAtMs,
  results: [],
});

/** What a result makes of the state. @param beganAtMs when the check began, on the monotonic clock */
export function afterResult(plan: HealthPlan, before: Health, result: HealthResult, beganAtMs: number): Health {
  const results = [...before.results, result].slice(-RESULTS_LIMIT);
  if (result.exitCode === 0) return { ...before, status: "healthy", failingStreak: 0, results };
  const isExcused = before.status === "starting" && beganAtMs - before.startedAtMs < plan.startPeriodMs;
  if (isExcused) return { ...before, results };
  const failingStreak = before.failingStreak + 1;
  const status = failingStreak >= plan.retries ? "unhealthy" : before.status;
  return { ...before, status, failingStreak, results };
}

/** How long it is to the next check, from the end of the last one, or from the start. */
export function pauseBeforeCheck(plan: HealthPlan, isStarting: boolean, sinceStartMs: number): number {
  return isStarting && sinceStartMs < plan.startPeriodMs ? plan.startIntervalMs : plan.intervalMs;
}

/** As docker's `inspect` tells it. A container that has ended is not healthy. */
export function dockerHealth({ status, failingStreak, results }: Health, isRunning: boolean): unknown {
  return {
    Status: isRunning ? status : "unhealthy",
    FailingStreak: failingStreak,
    Log: results.map(({ startMs, endMs, exitCode, output }) => ({
      Start: new Date(startMs).toISOString(),
      End: new Date(endMs).toISOString(),
      ExitCode: exitCode,
      Output: output,
    })),
  };
}
