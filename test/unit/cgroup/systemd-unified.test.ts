import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unifiedProperties } from "../../../src/cgroup/systemd-unified.ts";

const byName = (files: Record<string, string>) =>
  Object.fromEntries(unifiedProperties(files).map(({ name, signature, value }) => [name, [signature, value]]));
const INFINITY = 2n ** 64n - 1n;

describe("limits of version 2's own words as properties of a unit", () => {
  test("those of memory and pids are numbers, or infinity", () => {
    assert.deepEqual(
      byName({ "memory.high": "1000", "memory.swap.max": "max", "memory.min": "5\n", "pids.max": "7" }),
      {
        MemoryHigh: ["t", 1000n],
        MemorySwapMax: ["t", INFINITY],
        MemoryMin: ["t", 5n],
        TasksMax: ["t", 7n],
      },
    );
  });

  test("a quota has a period, which may be left out", () => {
    assert.deepEqual(byName({ "cpu.max": "50000" }), { CPUQuotaPerSecUSec: ["t", 500_000n] });
    assert.deepEqual(byName({ "cpu.max": "max 20000" }), {
      CPUQuotaPeriodUSec: ["t", 20_000n],
      CPUQuotaPerSecUSec: ["t", INFINITY],
    });
  });

  test("weights and sets of CPUs are told", () => {
    assert.deepEqual(byName({ "cpu.weight": "50", "cpuset.cpus": "0,3", "cpuset.mems": "0" }), {
      CPUWeight: ["t", 50n],
      AllowedCPUs: ["ay", [9]],
      AllowedMemoryNodes: ["ay", [1]],
    });
  });

  test("what systemd has no property or value for is left to the files", () => {
    const files = {
      "memory.high": "64M",
      "cpu.weight": "idle",
      "cpu.max": "1 2 3",
      "io.max": "8:0 rbps=1",
      "cpu.max.burst": "1",
    };
    assert.deepEqual(unifiedProperties(files), []);
    assert.deepEqual(unifiedProperties({ "cpu.max": "5 0" }), []);
  });
});
