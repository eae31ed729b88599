import assert from "node:assert/strict";
import { test } from "node:test";
import { mountPointIn, planIntelRdt } from "../../../src/isolation/intel-rdt.ts";
import { firstMismatch } from "../../../src/isolation/rdt-schemata.ts";

test("without a closID the group is the container's own and has its id", () => {
  assert.deepEqual(planIntelRdt({}, "c1"), { group: "c1", own: true, schemata: [], monitoring: undefined });
});

test("a closID names a group that is not the container's own", () => {
  assert.deepEqual(planIntelRdt({ closID: "gold", enableMonitoring: true }, "c1"), {
    group: "gold",
    own: false,
    schemata: [],
    monitoring: "c1",
  });
});

test("the closID / is the default group", () => {
  assert.equal(planIntelRdt({ closID: "/" }, "c1").group, "");
});

test("a closID can not lead out of resctrl", () => {
  for (const closID of [".", "..", "../x", "/x", "a/b"]) {
    assert.throws(() => planIntelRdt({ closID }, "c1"), /linux\.intelRdt\.closID/, closID);
  }
});

test("cache comes first, then bandwidth, then the further schemata", () => {
  const rdt = { l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=20", schemata: ["L2:0=3", ""] };
  assert.deepEqual(planIntelRdt(rdt, "c1").schemata, ["L3:0=f", "MB:0=20", "L2:0=3"]);
});

test("memBwSchema replaces the bandwidth that l3CacheSchema has", () => {
  const l3CacheSchema = "L3:0=f\nMB:0=50\n";
  assert.deepEqual(planIntelRdt({ l3CacheSchema, memBwSchema: "MB:0=20" }, "c1").schemata, ["L3:0=f", "MB:0=20"]);
  assert.deepEqual(planIntelRdt({ l3CacheSchema }, "c1").schemata, ["L3:0=f", "MB:0=50"]);
});

test("memBwSchema is one line that starts with MB:", () => {
  assert.throws(() => planIntelRdt({ memBwSchema: "L3:0=f" }, "c1"), /does not start with 'MB:'/);
  assert.throws(() => planIntelRdt({ memBwSchema: "MB:0=1\nL3:0=f" }, "c1"), /memBwSchema: .* one line/);
  assert.throws(() => planIntelRdt({ schemata: ["L3:0=f\nMB:0=1"] }, "c1"), /schemata: .* one line/);
});

test("what was asked for in older versions means monitoring, too", () => {
  assert.equal(planIntelRdt({ enableCMT: true }, "c1").monitoring, "c1");
  assert.equal(planIntelRdt({ enableMBM: true }, "c1").monitoring, "c1");
});

test("a group's schemata agree with a line if all caches that it names do", () => {
  const there = "    MB:0= 20;1=100\n    L3:0=007f0;1=0001f\n";
  assert.equal(firstMismatch(["L3:1=1f;0=7f0", "MB:0=20"], there, undefined), undefined);
  assert.equal(firstMismatch(["L3:0=0x7F0"], there, undefined), undefined);
  assert.equal(firstMismatch(["MB:0=20", "L3:0=7ff"], there, undefined), "L3:0=7ff");
  assert.equal(firstMismatch(["L3:2=1"], there, undefined), "L3:2=1");
  assert.equal(firstMismatch(["L2:0=1"], there, undefined), "L2:0=1");
});

test("bandwidth is compared as the kernel rounds it", () => {
  const steps = { least: 10, step: 10 };
  assert.equal(firstMismatch(["MB:0=13;1=5"], "MB:0=20;1=10\n", steps), undefined);
  assert.equal(firstMismatch(["MB:0=21"], "MB:0=20\n", steps), "MB:0=21");
});

test("what is no value agrees with nothing", () => {
  assert.equal(firstMismatch(["L3:0=zz"], "L3:0=zz\n", undefined), "L3:0=zz");
});

test("resctrl is found where it is mounted", () => {
  const other = "30 1 0:26 / /sys rw - sysfs sysfs rw\n";
  assert.equal(mountPointIn(`${other}99 1 0:50 / /mnt/resctrl rw shared:1 - resctrl resctrl rw\n`), "/mnt/resctrl");
  assert.equal(mountPointIn(other), undefined);
});
