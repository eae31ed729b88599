/**
 * When an exchange is worth another try, and after what time. Pure.
 */
import { type Answer, TransportError } from "./exchange.ts";

/** In all, with the first. */
export const TRIES = 4;
const FIRST_PAUSE_MS = 500;
/** Who is asked to wait longer gives up, and says how long. */
const PAUSE_LIMIT_MS = 60_000;
/** Too many requests, and what servers and those before them say when they are overtaxed for a while: RFC 9110, RFC 6585. */
const PASSING_STATUSES: readonly number[] = [429, 500, 502, 503, 504];
/** A host that is not found or refuses is told at once: mostly its name is wrong. */
const PASSING_TROUBLES: readonly string[] = ["timeout", "cut"];

/** What `Retry-After` asks for, in milliseconds; undefined if it says nothing. RFC 9110, section 10.2.3. */
export function retryAfterMs({ headers }: Pick<Answer, "headers">, nowMs: number): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/**
 * How long to wait before the next try; undefined if there is to be none.
 * @param tries how many there have been, from 1 on
 */
export function pauseAfter(outcome: Answer | TransportError, tries: number, nowMs: number): number | undefined {
  if (tries >= TRIES) return undefined;
  const usual = FIRST_PAUSE_MS * 2 ** (tries - 1);
  if (outcome instanceof TransportError) return PASSING_TROUBLES.includes(outcome.trouble) ? usual : undefined;
  if (!PASSING_STATUSES.includes(outcome.status)) return undefined;
  const asked = retryAfterMs(outcome, nowMs) ?? usual;
  return asked > PAUSE_LIMIT_MS ? undefined : asked;
}
