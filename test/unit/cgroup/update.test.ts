import assert from "node:assert/strict";
import { test } from "node:test";
import type { CgroupLayout } from "../../../src/cgroup/layout.ts";
import { planUpdate } from "../../../src/cgroup/plan.ts";
import { completeUpdate, mergeResources } from "../../../src/cgroup/update.ts";
import { checkUsage } from "../../../src/cgroup/usage-check.ts";
import { Failure } from "../../../src/failure.ts";
import type { Resources } from "../../../src/spec/config.ts";

const root = "/sys/fs/cgroup";
const v1: CgroupLayout = {
  kind: "v1",
  controllers: ["cpu", "memory", "pids"].map((name) => ({ name, mountpoint: `${root}/${name}` })),
};
const v2: CgroupLayout = { kind: "v2", root, available: ["cpu", "memory", "pids"] };
const writes = (layout: CgroupLayout, update: Resources, current: Resources = {}) =>
  planUpdate(layout, "/x", update, current).writes.map(
    ({ file, value }) => `${file.slice(file.lastIndexOf("/") + 1)}=${value}`,
  );

test("a new period keeps the quota, and a new quota the period", () => {
  const current = { cpu: { quota: 50_000, period: 100_000 } };
  assert.deepEqual(writes(v2, { cpu: { period: 200_000 } }, current), ["cpu.max=50000 200000"]);
  assert.deepEqual(writes(v2, { cpu: { quota: 20_000 } }, { cpu: { quota: 1, period: 40_000 } }), [
    "cpu.max=20000 40000",
  ]);
  assert.deepEqual(writes(v1, { cpu: { period: 200_000 } }, current), [
    "cpu.cfs_period_us=200000",
    "cpu.cfs_quota_us=50000",
  ]);
});

test("a period without any quota, and a quota that is taken away", () => {
  assert.deepEqual(writes(v2, { cpu: { period: 200_000 } }), ["cpu.max=max 200000"]);
  assert.deepEqual(writes(v2, { cpu: { quota: -1 } }, { cpu: { quota: 1000, period: 50_000 } }), ["cpu.max=max 50000"]);
  assert.deepEqual(writes(v1, { cpu: { quota: -1 } }), ["cpu.cfs_quota_us=-1"]);
});

test("shares alone touch neither quota nor period", () => {
  assert.deepEqual(writes(v1, { cpu: { shares: 512 } }, { cpu: { quota: 1000, period: 50_000 } }), ["cpu.shares=512"]);
});

test("with version 2, a new limit of memory leaves the sum of memory and swap as it was", () => {
  const current = { memory: { limit: 100, swap: 300 } };
  assert.deepEqual(writes(v2, { memory: { limit: 200 } }, current), ["memory.swap.max=100", "memory.max=200"]);
  assert.deepEqual(writes(v2, { memory: { swap: 150 } }, current), ["memory.swap.max=50", "memory.max=100"]);
  assert.deepEqual(writes(v2, { memory: { swap: -1 } }, current), ["memory.swap.max=max", "memory.max=100"]);
});

test("memory without a limit takes that of swap away, unless it is named", () => {
  const current = { memory: { limit: 100, swap: 300 } };
  assert.deepEqual(writes(v2, { memory: { limit: -1 } }, current), ["memory.swap.max=max", "memory.max=max"]);
  assert.deepEqual(writes(v1, { memory: { limit: -1 } }, current), [
    "memory.limit_in_bytes=-1",
    "memory.memsw.limit_in_bytes=-1",
  ]);
});

test("a limit of memory above that of memory and swap together is refused", () => {
  assert.throws(() => writes(v1, { memory: { limit: 400 } }, { memory: { limit: 100, swap: 300 } }), Failure);
});

test("a reservation alone touches no other limit of memory", () => {
  const current = { memory: { limit: 100, swap: 300 } };
  assert.deepEqual(writes(v2, { memory: { reservation: 50 } }, current), ["memory.low=50"]);
  assert.deepEqual(writes(v1, { memory: { reservation: 50 } }, current), ["memory.soft_limit_in_bytes=50"]);
});

test("no limit of processes is said in the kernel's word on both versions", () => {
  for (const layout of [v1, v2]) assert.deepEqual(writes(layout, { pids: { limit: -1 } }), ["pids.max=max"]);
});

test("a limit at or below what is in use is refused where it is checked, and no limit never", () => {
  assert.throws(() => checkUsage({ limit: 100 }, 100), { message: "rejecting memory limit 100 <= usage 100" });
  assert.throws(() => checkUsage({ limit: 200, swap: 150 }, 160), {
    message: "rejecting memory+swap limit 150 <= usage 160",
  });
  for (const limits of [{ limit: 101 }, { limit: -1, swap: -1 }, {}])
    assert.doesNotThrow(() => checkUsage(limits, 100));
});

test("whether to check is remembered from the configuration", () => {
  const { memory } = completeUpdate({ memory: { limit: 5 } }, { memory: { checkBeforeUpdate: true } });
  assert.deepEqual(memory, { limit: 5, checkBeforeUpdate: true });
});

test("the record keeps what an update does not name", () => {
  const current: Resources = { cpu: { shares: 2, quota: 3 }, memory: { limit: 4 }, devices: [{ allow: false }] };
  assert.deepEqual(mergeResources(current, { cpu: { quota: -1 }, pids: { limit: 7 } }), {
    cpu: { shares: 2, quota: -1 },
    memory: { limit: 4 },
    devices: [{ allow: false }],
    pids: { limit: 7 },
  });
});

test("the record does not keep a limit of swap that went with that of memory", () => {
  const merged = mergeResources({ memory: { limit: 10, swap: 20 } }, { memory: { limit: -1 } });
  assert.deepEqual(merged.memory, { limit: -1, swap: -1 });
  assert.doesNotThrow(() => writes(v1, { memory: { limit: 100 } }, merged));
});
