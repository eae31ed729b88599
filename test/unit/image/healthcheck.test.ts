import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { applyChanges } from "../../../src/image/changes.ts";
import { parseConfiguration } from "../../../src/image/manifest.ts";

const configured = (Healthcheck: unknown) =>
  parseConfiguration(JSON.stringify({ config: { Healthcheck }, rootfs: { type: "layers" } }), "it").config.Healthcheck;

test("a configuration's health check is taken over, without what says nothing", () => {
  const whole = {
    Test: ["CMD", "a", "b"],
    Interval: 1e9,
    Timeout: 2e9,
    StartPeriod: 3e9,
    StartInterval: 4e9,
    Retries: 5,
  };
  assert.deepEqual(configured(whole), whole);
  assert.deepEqual(configured({ Test: ["NONE"], Interval: 0, Timeout: null, Extra: 1 }), { Test: ["NONE"] });
  for (const nothing of [undefined, null, {}, { Test: [] }, { Test: null }])
    assert.equal(configured(nothing), undefined);
});

test("times that JavaScript cannot count are as long as it can", () => {
  assert.deepEqual(configured({ Interval: 2 ** 60 }), { Interval: Number.MAX_SAFE_INTEGER });
});

test("a health check of the wrong form is refused", () => {
  for (const wrong of [{ Test: "CMD" }, { Test: [1] }, { Test: ["a\0b"] }, { Interval: "1s" }, { Retries: -1 }]) {
    assert.throws(() => configured(wrong), Failure, JSON.stringify(wrong));
  }
});

test("HEALTHCHECK says a check with its times", () => {
  const check = (text: string) => applyChanges([`HEALTHCHECK ${text}`]).Healthcheck;
  assert.deepEqual(check("NONE"), { Test: ["NONE"] });
  assert.deepEqual(check("CMD curl -f x || exit 1"), { Test: ["CMD-SHELL", "curl -f x || exit 1"] });
  assert.deepEqual(check('--interval=5s --retries=2 --start-period=1m CMD ["a", "b"]'), {
    Interval: 5e9,
    Retries: 2,
    StartPeriod: 60e9,
    Test: ["CMD", "a", "b"],
  });
  for (const wrong of [
    "CMD",
    "true",
    "--interval=5 CMD x",
    "--often=1s CMD x",
    "--retries=x CMD x",
    "--retries=1 NONE",
  ]) {
    assert.throws(() => check(wrong), Failure, wrong);
  }
});
