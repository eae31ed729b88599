import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  annotationProperties,
  cpuMask,
  deviceGroups,
  deviceProperties,
  expandSlice,
  limitProperties,
  parseSystemdPath,
  quotaPerSecond,
} from "../../../src/cgroup/systemd.ts";

const byName = (properties: readonly { name: string; value: unknown }[]) =>
  Object.fromEntries(properties.map(({ name, value }) => [name, value]));

describe("cgroupsPath for systemd", () => {
  test("slice, prefix and name make the scope and its place", () => {
    assert.deepEqual(parseSystemdPath("machine-a.slice:libpod:12", "id", false), {
      slice: "machine-a.slice",
      unit: "libpod-12.scope",
      path: "/machine.slice/machine-a.slice/libpod-12.scope",
    });
  });

  test("what is left out has a default", () => {
    assert.equal(parseSystemdPath(undefined, "id", false).path, "/system.slice/mycontainer-id.scope");
    assert.equal(parseSystemdPath("", "id", true).path, "/user.slice/mycontainer-id.scope");
    assert.equal(parseSystemdPath("::id", "id", false).unit, "id.scope");
    assert.equal(parseSystemdPath("-.slice:p:n", "id", false).path, "/p-n.scope");
  });

  test("other forms are refused", () => {
    for (const path of ["/a/b", "a:b", "a:b:c:d", "a.slice:b:", "a.slice:b:c/d", "a:b:c", "../x.slice:b:c"]) {
      assert.throws(() => parseSystemdPath(path, "id", false), { name: "Failure" }, path);
    }
  });

  test("a slice lies in those that its name begins with", () => {
    assert.equal(expandSlice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
    for (const slice of ["a--b.slice", "-a.slice", "a-.slice", "a", ".slice", "a/b.slice"]) {
      assert.throws(() => expandSlice(slice), /invalid slice name/, slice);
    }
  });
});

describe("limits as properties of a unit", () => {
  const resources = {
    memory: { limit: 1000, swap: 1500, reservation: 500 },
    cpu: { shares: 1024, quota: 15_000, period: 100_000, cpus: "0-1,8" },
    pids: { limit: -1 },
  };

  test("version 2 has swap alone, a weight, and masks of CPUs", () => {
    assert.deepEqual(byName(limitProperties(resources, 2)), {
      MemoryMax: 1000n,
      MemoryLow: 500n,
      MemorySwapMax: 500n,
      CPUWeight: 100n,
      CPUQuotaPerSecUSec: 150_000n,
      AllowedCPUs: [3, 1],
      TasksMax: 2n ** 64n - 1n,
    });
  });

  test("version 1 has shares, and knows nothing of swap and cpusets", () => {
    assert.deepEqual(byName(limitProperties(resources, 1)), {
      MemoryLimit: 1000n,
      CPUShares: 1024n,
      CPUQuotaPerSecUSec: 150_000n,
      TasksMax: 2n ** 64n - 1n,
    });
  });

  test("a quota is rounded up to whole 10 ms of a second; none is infinity", () => {
    assert.equal(quotaPerSecond(1001, 100_000), 20_000n);
    assert.equal(quotaPerSecond(2000, 100_000), 20_000n);
    assert.equal(quotaPerSecond(-1, 100_000), 2n ** 64n - 1n);
  });

  test("lists of CPUs that are none are refused", () => {
    for (const list of ["a", "3-1", "1-2-3", "99999"]) assert.throws(() => cpuMask(list), /not a list of CPUs/, list);
  });

  test("devices are told by path, or by the kernel's name of all of a number", () => {
    const groups = deviceGroups("Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  8 sd\n");
    const [policy, allow] = deviceProperties(
      {
        devices: [
          { allow: false },
          { allow: true, type: "b", major: 8, minor: 1, access: "r" },
          { allow: true, type: "b", major: 8 },
        ],
      },
      groups,
    );
    assert.equal(policy?.value, "strict");
    const rules = allow?.value as [string, string][];
    assert.ok(rules.some(([path, access]) => path === "/dev/block/8:1" && access === "r"));
    assert.ok(rules.some(([path]) => path === "block-sd"));
    assert.ok(rules.some(([path]) => path === "char-pts"));
    assert.deepEqual(byName(deviceProperties({ devices: [{ allow: true }] }, groups)), { DevicePolicy: "auto" });
  });
});

describe("annotations as properties of a unit", () => {
  test("values are what GVariant's text says; seconds become microseconds", () => {
    const told = annotationProperties({
      "org.systemd.property.CollectMode": "'inactive-or-failed'",
      "org.systemd.property.TimeoutStopSec": "1.5",
      "org.systemd.property.TimeoutStopUSec": "uint64 123",
      "org.systemd.property.After": "['a.service', \"b.service\"]",
      "org.systemd.property.Delegate": "true",
      other: "nothing",
    });
    assert.deepEqual(
      told.map(({ name, signature, value }) => [name, signature, value]),
      [
        ["CollectMode", "s", "inactive-or-failed"],
        ["TimeoutStopUSec", "t", 1_500_000n],
        ["TimeoutStopUSec", "t", 123n],
        ["After", "as", ["a.service", "b.service"]],
        ["Delegate", "b", true],
      ],
    );
  });

  test("what is no value, or no property, is refused", () => {
    for (const [name, value] of [
      ["Ab/c", "true"],
      ["Name", "text"],
      ["Name", "['a'"],
      ["StopSec", "'x'"],
    ] as const) {
      assert.throws(
        () => annotationProperties({ [`org.systemd.property.${name}`]: value }),
        /annotation/,
        `${name} ${value}`,
      );
    }
  });
});
