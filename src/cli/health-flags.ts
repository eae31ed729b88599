/**
 * `--health-cmd` and its kin.
 */
import { Failure } from "../failure.ts";
import { HEALTH_TIMES, parseHealthTime, parseRetries } from "../image/healthcheck.ts";
import type { Healthcheck } from "../spec/image.ts";

interface HealthFlags {
  readonly "health-cmd"?: string | undefined;
  readonly "health-interval"?: string | undefined;
  readonly "health-retries"?: string | undefined;
  readonly "health-start-interval"?: string | undefined;
  readonly "health-start-period"?: string | undefined;
  readonly "health-timeout"?: string | undefined;
  readonly "no-healthcheck"?: boolean | undefined;
}

const TIMES = ["interval", "timeout", "start-period", "start-interval"] as const;

/** What is asked for; undefined for nothing. Throws a Failure for what makes no sense. */
export function healthcheckOf(flags: HealthFlags): Healthcheck | undefined {
  const { "health-cmd": command, "health-retries": retries } = flags;
  const found: { -readonly [Name in keyof Healthcheck]: Healthcheck[Name] } = {};
  if (command !== undefined) found.Test = command === "none" ? ["NONE"] : ["CMD-SHELL", command];
  if (command === "") throw new Failure("--health-cmd is empty", { hint: "--no-healthcheck takes the image's away" });
  for (const name of TIMES) {
    const text = flags[`health-${name}`];
    if (text === undefined) continue;
    const time = parseHealthTime(text);
    if (time === undefined) {
      throw new Failure(`bad value '${text}' of --health-${name}`, { hint: "use a time as in 30s, 1m30s or 500ms" });
    }
    found[HEALTH_TIMES[name]] = time;
  }
  if (retries !== undefined) {
    const number = parseRetries(retries);
    if (number === undefined) throw new Failure(`bad value '${retries}' of --health-retries`, { hint: "use a number" });
    found.Retries = number;
  }
  const isAsked = Object.keys(found).length > 0;
  if (flags["no-healthcheck"] !== true) return isAsked ? found : undefined;
  if (!isAsked) return { Test: ["NONE"] };
  throw new Failure("--no-healthcheck and --health-... contradict each other", { hint: "leave one of them out" });
}
