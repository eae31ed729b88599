import assert from "node:assert/strict";
import { test } from "node:test";
import { detachFilter, parseDetachKeys } from "../../../src/container/detach-keys.ts";

const bytes = (...codes: number[]) => new Uint8Array(codes);

test("keys are letters, and ctrl- with a letter", () => {
  assert.deepEqual(parseDetachKeys("ctrl-p,ctrl-q"), bytes(16, 17));
  assert.deepEqual(parseDetachKeys("a,ctrl-[,ctrl-@"), bytes(97, 27, 0));
  for (const text of ["", "ctrl-", "ctrl-1", "ab", "a,"]) assert.throws(() => parseDetachKeys(text), /are no keys/);
});

test("what is typed is passed on, but for the keys, however it comes in pieces", () => {
  const filter = detachFilter(bytes(16, 17));
  assert.deepEqual(filter(bytes(1, 2)), bytes(1, 2));
  assert.deepEqual(filter(bytes(16)), bytes());
  assert.deepEqual(filter(bytes(3)), bytes(16, 3));
  assert.deepEqual(filter(bytes(4, 16, 16)), bytes(4, 16));
  assert.equal(filter(bytes(17)), undefined);
});
