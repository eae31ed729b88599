import assert from "node:assert/strict";
import { test } from "node:test";
import { TransportError } from "../../../src/registry/exchange.ts";
import { pauseAfter, retryAfterMs, TRIES } from "../../../src/registry/retry.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const answer = (status: number, retryAfter?: string) => ({
  status,
  headers: new Map(retryAfter === undefined ? [] : [["retry-after", retryAfter]]),
  body: new Uint8Array(),
});

test("Retry-After is a number of seconds or a date", () => {
  assert.equal(retryAfterMs(answer(429, "7"), NOW), 7000);
  assert.equal(retryAfterMs(answer(429, "Thu, 01 Jan 2026 00:00:30 GMT"), NOW), 30_000);
  assert.equal(retryAfterMs(answer(429, "Wed, 31 Dec 2025 00:00:00 GMT"), NOW), 0);
  assert.equal(retryAfterMs(answer(429, "soon"), NOW), undefined);
  assert.equal(retryAfterMs(answer(429), NOW), undefined);
});

test("pauses grow, and end after some tries", () => {
  const pauses = [1, 2, 3, TRIES].map((tries) => pauseAfter(answer(503), tries, NOW));
  assert.deepEqual(pauses, [500, 1000, 2000, undefined]);
});

test("what the server asks for holds, unless it is long", () => {
  assert.equal(pauseAfter(answer(429, "3"), 1, NOW), 3000);
  assert.equal(pauseAfter(answer(429, "61"), 1, NOW), undefined);
});

test("only what may pass is tried again", () => {
  for (const status of [200, 206, 301, 400, 401, 403, 404, 501]) {
    assert.equal(pauseAfter(answer(status), 1, NOW), undefined, String(status));
  }
  for (const trouble of ["cut", "timeout"] as const) {
    assert.equal(pauseAfter(new TransportError(trouble, ""), 1, NOW), 500, trouble);
  }
  for (const trouble of ["resolve", "connect", "tls", "too-large", "protocol", "sink"] as const) {
    assert.equal(pauseAfter(new TransportError(trouble, ""), 1, NOW), undefined, trouble);
  }
});
