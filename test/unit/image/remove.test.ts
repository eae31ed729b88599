import assert from "node:assert/strict";
import { test } from "node:test";
import { planRemoval } from "../../../src/image/remove.ts";
import type { ImageRecord } from "../../../src/image/store.ts";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const record = (name: string | null, id: string): ImageRecord => ({
  version: 1,
  name,
  id: digest(id),
  digest: digest(id),
  manifestSizeBytes: 1,
  manifestType: "",
  createdMs: 0,
  config: {},
  layers: [],
});
const one = record("docker.io/library/a:1", "a");
const other = record("docker.io/library/b:1", "a");
const third = record("docker.io/library/c:1", "c");
const all = [one, other, third];
const user = [{ container: "x", digest: digest("c") }];

test("an image with another name only loses one", () => {
  assert.deepEqual(planRemoval("a:1", one, all, [], false).tells, [{ kind: "untagged", name: one.name }]);
});

test("an image goes with its last name", () => {
  const { records, tells } = planRemoval("c:1", third, all, [], false);
  assert.deepEqual(records, [third]);
  assert.deepEqual(tells.at(-1), { kind: "deleted", id: third.id });
});

test("an id stands for all names, and needs force if there are several", () => {
  assert.throws(() => planRemoval("aaaa", one, all, [], false), /several names: a:1, b:1/);
  assert.deepEqual(planRemoval("aaaa", one, all, [], true).records, [one, other]);
});

test("an image that a container uses stays, and with force loses its names only", () => {
  assert.throws(() => planRemoval("c:1", third, all, user, false), /used by container 'x'/);
  const plan = planRemoval("c:1", third, all, user, true);
  assert.deepEqual(plan.keep, { ...third, name: null });
  assert.deepEqual(plan.tells.at(-1), { kind: "kept", id: third.id });
  const nameless = record(null, "c");
  assert.throws(() => planRemoval("cccc", nameless, [nameless], user, true), /used by container/);
});

test("one of several names can be taken from an image that a container uses", () => {
  const using = [{ container: "x", digest: digest("a") }];
  assert.equal(planRemoval("a:1", one, all, using, false).keep, undefined);
});
