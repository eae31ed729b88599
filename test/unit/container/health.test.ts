import assert from "node:assert/strict";
import { test } from "node:test";
import { healthcheckOf } from "../../../src/cli/health-flags.ts";
import {
  afterResult,
  dockerHealth,
  type Health,
  healthPlanOf,
  inShellOf,
  mergeHealthcheck,
  newHealth,
  pauseBeforeCheck,
} from "../../../src/container/health.ts";
import { Failure } from "../../../src/failure.ts";

const PLAN = {
  command: ["true"],
  intervalMs: 1000,
  timeoutMs: 1000,
  startPeriodMs: 0,
  startIntervalMs: 10,
  retries: 2,
};
const result = (exitCode: number) => ({ startMs: 0, endMs: 1, exitCode, output: "" });
const after = (plan: typeof PLAN, codes: number[], at = 0): Health =>
  codes.reduce((health, code) => afterResult(plan, health, result(code), at), newHealth(0));

test("what run asks for takes the place of what the image asks for, word by word", () => {
  const image = { Test: ["CMD", "a"], Interval: 5, Retries: 7 };
  assert.deepEqual(mergeHealthcheck(undefined, image), image);
  assert.deepEqual(mergeHealthcheck({ Interval: 9 }, image), { ...image, Interval: 9 });
  assert.deepEqual(mergeHealthcheck({ Test: ["NONE"] }, image), { Test: ["NONE"] });
  assert.throws(() => mergeHealthcheck({ Interval: 9 }, undefined), Failure);
});

test("a plan has docker's defaults, and the words of the check", () => {
  const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5000, retries: 3 };
  assert.deepEqual(healthPlanOf({ Test: ["CMD", "a", "b"] }), { command: ["a", "b"], ...defaults });
  assert.deepEqual(healthPlanOf({ Test: ["CMD-SHELL", "a b"], Interval: 1e6 }), {
    ...defaults,
    command: ["/bin/sh", "-c", "a b"],
    intervalMs: 1,
  });
  for (const nothing of [undefined, {}, { Test: ["NONE"] }]) assert.equal(healthPlanOf(nothing), undefined);
  for (const wrong of [["CMD"], ["EXEC", "a"]]) assert.throws(() => healthPlanOf({ Test: wrong }), Failure);
});

test("as many failures in a row as there are retries make it unhealthy, and one success healthy", () => {
  assert.equal(after(PLAN, []).status, "starting");
  assert.equal(after(PLAN, [1]).status, "starting");
  assert.equal(after(PLAN, [1, 1]).status, "unhealthy");
  assert.deepEqual([after(PLAN, [1, 1, 0]).status, after(PLAN, [1, 1, 0]).failingStreak], ["healthy", 0]);
  assert.equal(after(PLAN, [0, 1]).status, "healthy");
  assert.equal(after(PLAN, [0, -1, 127]).status, "unhealthy");
});

test("failures in the period after the start do not count until there was a success", () => {
  const plan = { ...PLAN, startPeriodMs: 100 };
  assert.deepEqual([after(plan, [1, 1, 1], 99).status, after(plan, [1, 1, 1], 99).failingStreak], ["starting", 0]);
  assert.equal(after(plan, [1, 1, 1], 100).status, "unhealthy");
  assert.equal(after(plan, [0, 1, 1], 50).status, "unhealthy");
});

test("the last five results are kept", () => {
  const codes = after(PLAN, [1, 2, 3, 4, 5, 6, 7]).results.map(({ exitCode }) => exitCode);
  assert.deepEqual(codes, [3, 4, 5, 6, 7]);
});

test("checks are closer to each other while it starts", () => {
  const plan = { ...PLAN, startPeriodMs: 100 };
  assert.equal(pauseBeforeCheck(plan, true, 99), 10);
  assert.equal(pauseBeforeCheck(plan, true, 100), 1000);
  assert.equal(pauseBeforeCheck(plan, false, 99), 1000);
});

test("docker's form says of a container that has ended that it is not healthy", () => {
  const health = after(PLAN, [0]);
  const log = [{ Start: "1970-01-01T00:00:00.000Z", End: "1970-01-01T00:00:00.001Z", ExitCode: 0, Output: "" }];
  assert.deepEqual(dockerHealth(health, true), { Status: "healthy", FailingStreak: 0, Log: log });
  assert.deepEqual(dockerHealth(health, false), { Status: "unhealthy", FailingStreak: 0, Log: log });
});

test("flags are a check of docker's form", () => {
  assert.equal(healthcheckOf({}), undefined);
  assert.deepEqual(healthcheckOf({ "no-healthcheck": true }), { Test: ["NONE"] });
  assert.deepEqual(healthcheckOf({ "health-cmd": "none" }), { Test: ["NONE"] });
  assert.deepEqual(healthcheckOf({ "health-cmd": "a b", "health-interval": "1s", "health-retries": "4" }), {
    Test: ["CMD-SHELL", "a b"],
    Interval: 1e9,
    Retries: 4,
  });
  for (const wrong of [
    { "no-healthcheck": true, "health-cmd": "a" },
    { "health-cmd": "" },
    { "health-timeout": "1" },
    { "health-timeout": "10us" },
    { "health-retries": "-1" },
  ]) {
    assert.throws(() => healthcheckOf(wrong), Failure, JSON.stringify(wrong));
  }
});

test("a check that is a text is run by the shell that the image names", () => {
  const text = { Test: ["CMD-SHELL", "exit 0"], Retries: 2 };
  assert.deepEqual(inShellOf(["/bin/ash", "-ec"], text), { Test: ["CMD", "/bin/ash", "-ec", "exit 0"], Retries: 2 });
  assert.equal(inShellOf(undefined, text), text);
  const words = { Test: ["CMD", "true"] };
  assert.equal(inShellOf(["/bin/ash", "-c"], words), words);
});
