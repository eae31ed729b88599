import assert from "node:assert/strict";
import { test } from "node:test";
import { planIoPriority } from "../../../src/isolation/io-priority.ts";

test("the class is in the high bits, the priority in the low ones", () => {
  assert.equal(planIoPriority({ class: "IOPRIO_CLASS_RT", priority: 0 }), 0x2000);
  assert.equal(planIoPriority({ class: "IOPRIO_CLASS_BE", priority: 7 }), 0x4007);
  assert.equal(planIoPriority({ class: "IOPRIO_CLASS_IDLE", priority: 3 }), 0x6003);
});

test("an unknown class is refused by name", () => {
  assert.throws(() => planIoPriority({ class: "IOPRIO_CLASS_NONE", priority: 0 }), {
    message: "process.ioPriority.class: unknown class 'IOPRIO_CLASS_NONE'",
  });
});

test("priorities are from 0 to 7", () => {
  for (const priority of [-1, 8, 1.5]) {
    assert.throws(() => planIoPriority({ class: "IOPRIO_CLASS_BE", priority }), /is not from 0 to 7/);
  }
});
