import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as v1 from "../../../src/cgroup/v1.ts";
import * as v2 from "../../../src/cgroup/v2.ts";
import { Failure } from "../../../src/failure.ts";
import type { Resources } from "../../../src/spec/config.ts";

type Convert = typeof v1.convert;
const lines = (convert: Convert, resources: Resources) =>
  convert(resources).writes.map(({ file, value }) => `${file} ${value}`);
const both = [
  ["version 1", v1.convert],
  ["version 2", v2.convert],
] as const;

for (const [name, convert] of both) {
  test(`${name}: limits of 0 mean none`, () => {
    const zero: Resources = {
      memory: { limit: 0, swap: 0, reservation: 0 },
      cpu: { shares: 0, quota: 0, period: 0, cpus: "", mems: "" },
      blockIO: { weight: 0 },
    };
    assert.deepEqual(lines(convert, zero), []);
  });

  test(`${name}: 0 processes are one, and -1 are any number`, () => {
    for (const [limit, value] of [
      [0, "1"],
      [-1, "max"],
      [7, "7"],
    ] as const)
      assert.deepEqual(lines(convert, { pids: { limit } }), [`pids.max ${value}`]);
    assert.deepEqual(lines(convert, { pids: {} }), []);
  });

  test(`${name}: a burst of 0 is a value, which kernels without bursts have anyway`, () => {
    const [write, ...more] = convert({ cpu: { burst: 0 } }).writes;
    assert.deepEqual([write?.value, write?.optional, write?.initial, more], ["0", true, true, []]);
  });

  test(`${name}: a huge page size that could leave the directory is refused`, () => {
    assert.throws(() => convert({ hugepageLimits: [{ pageSize: "../2MB", limit: 1 }] }), Failure);
  });

  test(`${name}: 64 bits survive`, () => {
    assert.ok(lines(convert, { memory: { limit: 2n ** 63n - 4096n } })[0]?.endsWith(" 9223372036854771712"));
  });
}

test("version 1: a whole configuration", () => {
  const resources: Resources = {
    memory: { limit: 1024, swap: 2048, reservation: 512, swappiness: 0, disableOOMKiller: true },
    cpu: { shares: 512, quota: 50000, period: 100000, burst: 1000, cpus: "0-1", mems: "0" },
    pids: { limit: 10 },
    blockIO: {
      weight: 300,
      weightDevice: [{ major: 8, minor: 0, weight: 500 }],
      throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 1000 }],
      throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 10 }],
    },
    hugepageLimits: [{ pageSize: "2MB", limit: 4096 }],
    network: { classID: 7, priorities: [{ name: "eth0", priority: 3 }] },
    rdma: { mlx5_0: { hcaHandles: 2, hcaObjects: 3 } },
  };
  assert.deepEqual(lines(v1.convert, resources), [
    "memory.limit_in_bytes 1024",
    "memory.memsw.limit_in_bytes 2048",
    "memory.soft_limit_in_bytes 512",
    "memory.swappiness 0",
    "memory.oom_control 1",
    "cpu.shares 512",
    "cpu.cfs_period_us 100000",
    "cpu.cfs_quota_us 50000",
    "cpu.cfs_burst_us 1000",
    "cpuset.cpus 0-1",
    "cpuset.mems 0",
    "pids.max 10",
    "blkio.bfq.weight 300",
    "blkio.bfq.weight_device 8:0 500",
    "blkio.throttle.read_bps_device 8:16 1000",
    "blkio.throttle.write_iops_device 8:16 10",
    "hugetlb.2MB.limit_in_bytes 4096",
    "hugetlb.2MB.rsvd.limit_in_bytes 4096",
    "rdma.max mlx5_0 hca_handle=2 hca_object=3",
    "net_cls.classid 7",
    "net_prio.ifpriomap eth0 3",
  ]);
});

test("version 1: no limit is -1, of processes max", () => {
  assert.deepEqual(lines(v1.convert, { memory: { limit: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } }), [
    "memory.limit_in_bytes -1",
    "memory.memsw.limit_in_bytes -1",
    "cpu.cfs_quota_us -1",
    "pids.max max",
  ]);
});

test("version 1: unified resources are refused", () => {
  assert.throws(() => v1.convert({ unified: { "memory.high": "1" } }), Failure);
});

test("version 2: a whole configuration", () => {
  const resources: Resources = {
    memory: { limit: 1024, swap: 2048, reservation: 512 },
    cpu: { shares: 1024, quota: 50000, period: 200000, burst: 1000, cpus: "0-1", mems: "0" },
    pids: { limit: 10 },
    blockIO: {
      weight: 10,
      throttleReadBpsDevice: [{ major: 8, minor: 16, rate: 1000 }],
      throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 10 }],
    },
    hugepageLimits: [{ pageSize: "2MB", limit: 4096 }],
    unified: { "memory.high": "900", "io.max": "8:0 rbps=1\n8:1 rbps=2\n" },
  };
  assert.deepEqual(lines(v2.convert, resources), [
    "memory.swap.max 1024",
    "memory.max 1024",
    "memory.low 512",
    "cpu.weight 100",
    "cpu.max 50000 200000",
    "cpu.max.burst 1000",
    "cpuset.cpus 0-1",
    "cpuset.mems 0",
    "pids.max 10",
    "io.bfq.weight 10",
    "io.max 8:16 rbps=1000",
    "io.max 8:16 wiops=10",
    "hugetlb.2MB.max 4096",
    "hugetlb.2MB.rsvd.max 4096",
    "memory.high 900",
    "io.max 8:0 rbps=1",
    "io.max 8:1 rbps=2",
  ]);
  const weight = v2.convert(resources).writes.find(({ file }) => file === "io.bfq.weight");
  assert.deepEqual(weight?.instead, { file: "io.weight", value: "1" });
});

test("version 2: no limit is max", () => {
  assert.deepEqual(lines(v2.convert, { memory: { limit: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } }), [
    "memory.swap.max max",
    "memory.max max",
    "cpu.max max 100000",
    "pids.max max",
  ]);
});

test("version 2: swap is the sum without memory", () => {
  assert.equal(v2.swapOf(100, 100), 0n);
  assert.equal(v2.swapOf(100, 300), 200n);
  assert.equal(v2.swapOf(100, -1), "max");
  assert.equal(v2.swapOf(100, undefined), undefined);
  assert.throws(() => v2.swapOf(undefined, 100), Failure);
  assert.throws(() => v2.swapOf(100, 99), Failure);
});

test("version 2: no swap at all is written", () => {
  assert.ok(lines(v2.convert, { memory: { limit: 100, swap: 100 } }).includes("memory.swap.max 0"));
});

test("version 2: what would be silently different is refused", () => {
  assert.throws(() => v2.convert({ memory: { disableOOMKiller: true } }), Failure);
  assert.throws(() => v2.convert({ cpu: { realtimeRuntime: 1 } }), Failure);
  assert.throws(() => v2.convert({ unified: { "../x.y": "1" } }), Failure);
  assert.throws(() => v2.convert({ unified: { memory: "1" } }), Failure);
});

test("shares and weights agree at the ends and at the defaults, and keep their order", () => {
  assert.deepEqual([2, 1024, 262144].map(v2.weightOfShares), [1, 100, 10000]);
  assert.deepEqual([10, 1000].map(v2.weightOfBlkio), [1, 10000]);
  const shares = fc.integer({ min: 2, max: 262144 });
  fc.assert(
    fc.property(shares, shares, (one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      assert.ok(v2.weightOfShares(low) <= v2.weightOfShares(high));
      assert.ok(v2.weightOfShares(low) >= 1 && v2.weightOfShares(high) <= 10000);
    }),
  );
});

test("devices of version 1 are denied first, then allowed, the usual ones last", () => {
  const writes = v1.convertDevices(
    [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229 },
    ],
    true,
  );
  assert.deepEqual(
    writes.map(({ file, value }) => `${file} ${value}`),
    [
      "devices.deny a",
      "devices.allow c 10:229 rwm",
      "devices.allow c *:* m",
      "devices.allow b *:* m",
      "devices.allow c 1:3 rwm",
      "devices.allow c 1:5 rwm",
      "devices.allow c 1:7 rwm",
      "devices.allow c 1:8 rwm",
      "devices.allow c 1:9 rwm",
      "devices.allow c 5:0 rwm",
      "devices.allow c 5:2 rwm",
      "devices.allow c 10:200 rwm",
      "devices.allow c 136:* rwm",
    ],
  );
});

test("that all devices are allowed is not written into a new cgroup, which has no rules of its own yet", () => {
  const [write, ...others] = v1.convertDevices([{ allow: true, access: "rwm" }], true);
  assert.equal(`${write?.file} ${write?.value}`, "devices.allow a");
  assert.equal(write?.initial, true);
  assert.deepEqual(others, []);
});

for (const [name, convert] of both) {
  test(`${name}: less memory with swap than without is refused`, () => {
    assert.throws(() => convert({ memory: { limit: 4096, swap: 4095 } }), /below that of memory/);
  });

  test(`${name}: a swappiness that Go programs write for "not set" is not set`, () => {
    for (const swappiness of [-1, 2n ** 64n - 1n])
      assert.deepEqual(convert({ memory: { swappiness } }), convert({ memory: {} }));
    assert.throws(() => convert({ memory: { swappiness: 101 } }), Failure);
  });

  test(`${name}: a limit of swap that only follows from that of memory was not asked for`, () => {
    const { writes } = convert({ memory: { limit: 4096, swap: 8192 } }, (_, limit) => limit !== "swap");
    const asked = writes.map(({ file, asked }) => [/swap|memsw/.test(file), asked]);
    assert.deepEqual(asked.sort(), [
      [false, true],
      [true, false],
    ]);
  });

  test(`${name}: huge numbers, and any limit of memory and swap, keep every digit`, () => {
    const bytes = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        const [limit, swap] = one < other ? [one, other] : [other, one];
        const { writes } = convert({ memory: { limit, swap } });
        const values = writes.map(({ value }) => BigInt(value));
        assert.deepEqual(new Set(values), new Set([limit, name === "version 1" ? swap : swap - limit]));
      }),
    );
  });
}

test("version 1: only the kernel's own period is one that a new cgroup has", () => {
  const initial = (period: number) => v1.convert({ cpu: { period } }).writes[0]?.initial;
  assert.equal(initial(100_000), true);
  assert.equal(initial(50_000), undefined);
});

// https://github.com/opencontainers/runc/issues/4896
test("shares become the weights that runc gives", () => {
  assert.equal(v2.weightOfShares(2000), 170);
});
