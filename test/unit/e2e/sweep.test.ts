import assert from "node:assert/strict";
import { test } from "node:test";
import { pointsOf } from "../../e2e/sweep.ts";

test("all points are taken where no number is given, or there are fewer", () => {
  assert.deepEqual(pointsOf(3, undefined), [1, 2, 3]);
  assert.deepEqual(pointsOf(3, 5), [1, 2, 3]);
  assert.deepEqual(pointsOf(0, 5), []);
});

test("a sample has the first, the last, and what lies evenly between", () => {
  assert.deepEqual(pointsOf(101, 5), [1, 26, 51, 76, 101]);
});
