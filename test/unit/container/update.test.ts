import assert from "node:assert/strict";
import { test } from "node:test";
import { limitsInForce, mergeLimits, resourcesOfChange } from "../../../src/container/update.ts";

const MIB = 2 ** 20;
const current = {
  memory: { limit: 64 * MIB, swap: 128 * MIB },
  cpu: { quota: 50_000, period: 100_000 },
  pids: { limit: 100 },
};

test("only what is asked for is changed", () => {
  assert.deepEqual(resourcesOfChange(current, { pids: 7 }), { pids: { limit: 7 } });
  assert.deepEqual(resourcesOfChange(current, { cpusetCpus: "0" }), { cpu: { cpus: "0" } });
  assert.deepEqual(resourcesOfChange(current, { memoryReservationBytes: MIB }), { memory: { reservation: MIB } });
});

test("swap that nobody asked for goes with the memory, and what was asked for does not", () => {
  assert.deepEqual(resourcesOfChange(current, { memoryBytes: 256 * MIB }), {
    memory: { limit: 256 * MIB, swap: 512 * MIB },
  });
  const own = { memory: { limit: 64 * MIB, swap: 96 * MIB } };
  assert.deepEqual(resourcesOfChange(own, { memoryBytes: 80 * MIB }).memory, { limit: 80 * MIB, swap: 96 * MIB });
  assert.throws(() => resourcesOfChange(own, { memoryBytes: 256 * MIB }), /below the memory limit/);
});

test("0 takes a limit away", () => {
  assert.deepEqual(resourcesOfChange(current, { memoryBytes: 0, pids: 0, cpus: 0 }), {
    memory: { limit: -1, swap: -1 },
    cpu: { quota: -1 },
    pids: { limit: -1 },
  });
  const { memoryBytes, pids, cpus } = limitsInForce({ memory: { limit: -1, swap: -1 }, pids: { limit: -1 } });
  assert.deepEqual([memoryBytes, pids, cpus], [0, 0, 0]);
});

test("cores and a quota take each other's place, and a period goes with the quota", () => {
  assert.deepEqual(resourcesOfChange(current, { cpus: 2 }).cpu, { quota: 200_000, period: 100_000 });
  assert.deepEqual(resourcesOfChange(current, { cpuPeriodMicros: 50_000 }).cpu, { quota: 50_000, period: 50_000 });
  assert.deepEqual(mergeLimits({ cpus: 2 }, { cpuQuotaMicros: 5000 }), { cpuQuotaMicros: 5000 });
  assert.deepEqual(mergeLimits({ cpuQuotaMicros: 5000 }, { cpus: 1 }), { cpus: 1 });
});
