import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDockerfile } from "../../../src/build/parse-dockerfile.ts";
import { sourceStage, stageBefore } from "../../../src/build/stages.ts";

const { stages } = parseDockerfile("FROM one AS a\nFROM two\nFROM three AS c\nFROM four AS d\n", "Dockerfile");

test("files are taken from stages before, by name or number, or from an image", () => {
  assert.equal(sourceStage(stages, 2, "A"), 0);
  assert.equal(sourceStage(stages, 2, "1"), 1);
  assert.equal(sourceStage(stages, 2, "busybox"), undefined);
});

test("a stage that is not before is told as one", () => {
  assert.throws(() => sourceStage(stages, 2, "c"), /cannot take files from itself/);
  assert.throws(() => sourceStage(stages, 2, "d"), /the stage 'd' comes later/);
  assert.throws(() => sourceStage(stages, 2, "7"), /there is no stage 7 before this one/);
  assert.throws(() => sourceStage(stages, 0, "0"), /there is no stage 0 before this one/);
});

test("FROM may name an image as a later stage is called", () => {
  assert.equal(stageBefore(stages, 1, "c"), undefined);
});
