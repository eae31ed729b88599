import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../../src/spec/duration.ts";

test("times are read as Go reads them", () => {
  const times = {
    "0": 0,
    "30s": 30e9,
    "1m30s": 90e9,
    "1.5h": 5400e9,
    "500ms": 5e8,
    "2us": 2000,
    "2µs": 2000,
    "7ns": 7,
  };
  for (const [text, nanoseconds] of Object.entries(times)) assert.equal(parseDuration(text), nanoseconds, text);
});

test("what is no time, or too long a one to be exact, is none", () => {
  for (const text of ["", "1", "s", "-1s", "1d", "1s ", "1 s", "1s2", "9999999999s", "999999999h", "1e3s"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});
