import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeScheduler, planScheduler } from "../../../src/isolation/scheduler.ts";

test("what is not given is 0", () => {
  assert.deepEqual(planScheduler({ policy: "SCHED_OTHER" }), {
    name: "SCHED_OTHER",
    policy: 0,
    flags: 0,
    nice: 0,
    priority: 0,
    runtime: 0n,
    deadline: 0n,
    period: 0n,
  });
});

test("policies have the kernel's numbers", () => {
  const names = ["SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"];
  assert.deepEqual(
    names.map((policy) => planScheduler({ policy }).policy),
    [3, 4, 5, 6],
  );
  assert.equal(planScheduler({ policy: "SCHED_FIFO", priority: 1 }).policy, 1);
  assert.equal(planScheduler({ policy: "SCHED_RR", priority: 99 }).policy, 2);
});

test("an unknown policy is refused by name", () => {
  assert.throws(() => planScheduler({ policy: "SCHED_LUCK" }), {
    message: "process.scheduler.policy: unknown policy 'SCHED_LUCK'",
  });
});

test("flags are taken together, and unknown ones are refused", () => {
  const flags = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_UTIL_CLAMP_MAX"];
  assert.equal(planScheduler({ policy: "SCHED_OTHER", flags }).flags, 0x45);
  assert.throws(() => planScheduler({ policy: "SCHED_OTHER", flags: ["RESET"] }), /unknown flag 'RESET'/);
});

test("nice values end at -20 and 19 where they count", () => {
  assert.equal(planScheduler({ policy: "SCHED_BATCH", nice: -20 }).nice, -20);
  assert.equal(planScheduler({ policy: "SCHED_OTHER", nice: 19 }).nice, 19);
  assert.throws(() => planScheduler({ policy: "SCHED_OTHER", nice: 20 }), /scheduler\.nice: 20 /);
  assert.throws(() => planScheduler({ policy: "SCHED_BATCH", nice: -21 }), /scheduler\.nice: -21 /);
});

test("a priority goes with the real-time policies only, from 1 to 99", () => {
  assert.throws(() => planScheduler({ policy: "SCHED_OTHER", priority: 1 }), /goes with SCHED_FIFO and SCHED_RR only/);
  assert.throws(() => planScheduler({ policy: "SCHED_FIFO" }), /from 1 to 99, and not 0/);
  assert.throws(() => planScheduler({ policy: "SCHED_RR", priority: 100 }), /from 1 to 99, and not 100/);
});

test("times go with SCHED_DEADLINE only", () => {
  for (const time of [{ runtime: 1 }, { deadline: 1 }, { period: 1n }]) {
    assert.throws(() => planScheduler({ policy: "SCHED_OTHER", ...time }), /go with SCHED_DEADLINE only/);
  }
});

test("times keep all of their 64 bits and take no more", () => {
  const most = 0xffffffffffffffffn;
  assert.equal(planScheduler({ policy: "SCHED_DEADLINE", runtime: most }).runtime, most);
  assert.throws(() => planScheduler({ policy: "SCHED_DEADLINE", period: most + 1n }), /scheduler\.period/);
  assert.throws(() => planScheduler({ policy: "SCHED_DEADLINE", deadline: -1 }), /scheduler\.deadline/);
});

test("the kernel's struct has every value in its place", () => {
  const bytes = encodeScheduler(
    planScheduler({ policy: "SCHED_DEADLINE", flags: ["SCHED_FLAG_RECLAIM"], runtime: 3, deadline: 4, period: 5n }),
  );
  const view = new DataView(bytes.buffer);
  assert.equal(bytes.length, 56);
  assert.deepEqual([view.getUint32(0, true), view.getUint32(4, true)], [56, 6]);
  assert.deepEqual(
    [8, 24, 32, 40].map((at) => view.getBigUint64(at, true)),
    [2n, 3n, 4n, 5n],
  );
  const nice = encodeScheduler(planScheduler({ policy: "SCHED_OTHER", nice: -7 }));
  assert.equal(new DataView(nice.buffer).getInt32(16, true), -7);
  const fifo = encodeScheduler(planScheduler({ policy: "SCHED_FIFO", priority: 42 }));
  assert.equal(new DataView(fifo.buffer).getUint32(20, true), 42);
});
