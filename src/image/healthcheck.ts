/**
 * Health checks of images: as their configurations have them, and as the instruction HEALTHCHECK says them. Pure.
 */
import { parseDuration } from "../spec/duration.ts";
import type { Healthcheck } from "../spec/image.ts";

type Draft = { -readonly [Name in keyof Healthcheck]: Healthcheck[Name] };

const NUMBERS = ["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"] as const;
const WORDS_LIMIT = 10_000;
const MOST_RETRIES = 1_000_000;

/**
 * The object `Healthcheck` of a configuration; undefined if it says nothing. What is unknown in it is left out.
 * @param refuse makes the error of what is wrong
 */
export function healthcheckIn(
  value: Readonly<Record<string, unknown>>,
  refuse: (reason: string) => Error,
): Healthcheck | undefined {
  const found: Draft = {};
  const { Test } = value;
  if (Test !== undefined && Test !== null) {
    const isList = Array.isArray(Test) && Test.length <= WORDS_LIMIT;
    if (!isList || !Test.every((word) => typeof word === "string" && !word.includes("\0"))) {
      throw refuse("its health check is no list of words");
    }
    if (Test.length > 0) found.Test = Test;
  }
  for (const name of NUMBERS) {
    // Of what is beyond JavaScript's numbers, exact JSON makes a bigint.
    const number = typeof value[name] === "bigint" ? Number(value[name]) : value[name];
    if (number === undefined || number === null || number === 0) continue;
    if (typeof number !== "number" || !(number > 0)) throw refuse(`${name} of its health check is no number`);
    found[name] = Math.min(Math.floor(number), Number.MAX_SAFE_INTEGER);
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

/** The options of HEALTHCHECK, and of `run --health-...`, by what they are called in a configuration. */
export const HEALTH_TIMES = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
} as const;
export type HealthTime = keyof typeof HEALTH_TIMES;

export const isHealthTime = (name: string): name is HealthTime => Object.hasOwn(HEALTH_TIMES, name);

/** A time of a health check in nanoseconds; undefined for what is none. Less than a millisecond is none, as with docker. */
export function parseHealthTime(text: string): number | undefined {
  const nanoseconds = parseDuration(text);
  return nanoseconds === undefined || (nanoseconds > 0 && nanoseconds < 1e6) ? undefined : nanoseconds;
}

export function parseRetries(text: string): number | undefined {
  const retries = /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
  return retries <= MOST_RETRIES ? retries : undefined;
}

/**
 * What follows HEALTHCHECK: `NONE`, or `[--interval=30s ...] CMD ...`. A text is the reason why it is none.
 * @param commandOf reads what follows CMD: a JSON list as it is, undefined for a text for the shell
 */
export function parseHealthcheck(
  text: string,
  commandOf: (text: string) => readonly string[] | undefined,
): Healthcheck | string {
  const found: Draft = {};
  let rest = text.trim();
  for (let option = /^--([a-z-]+)=(\S+)\s+/.exec(rest); option !== null; option = /^--([a-z-]+)=(\S+)\s+/.exec(rest)) {
    const [whole, name = "", value = ""] = option;
    if (isHealthTime(name)) {
      const time = parseHealthTime(value);
      if (time === undefined) return `'${value}' is no time, as in 30s or 1m30s`;
      found[HEALTH_TIMES[name]] = time;
    } else if (name === "retries") {
      const retries = parseRetries(value);
      if (retries === undefined) return `'${value}' is no number of retries`;
      found.Retries = retries;
    } else return `there is no option --${name}`;
    rest = rest.slice(whole.length);
  }
  if (/^NONE$/i.test(rest)) return Object.keys(found).length === 0 ? { Test: ["NONE"] } : "NONE takes no options";
  const command = /^CMD\s+(.*)$/is.exec(rest)?.[1]?.trim() ?? "";
  if (command === "") return "it is NONE, or CMD and a command";
  const words = commandOf(command);
  return { ...found, Test: words === undefined ? ["CMD-SHELL", command] : ["CMD", ...words] };
}
