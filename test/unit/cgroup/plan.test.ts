import assert from "node:assert/strict";
import { test } from "node:test";
import type { CgroupLayout } from "../../../src/cgroup/layout.ts";
import { ancestorsOf, checkCgroupPath } from "../../../src/cgroup/path.ts";
import { planCgroup, planUpdate } from "../../../src/cgroup/plan.ts";
import { Failure } from "../../../src/failure.ts";

const root = "/sys/fs/cgroup";
const v1: CgroupLayout = {
  kind: "v1",
  controllers: [
    { name: "cpu", mountpoint: `${root}/cpu,cpuacct` },
    { name: "cpuacct", mountpoint: `${root}/cpu,cpuacct` },
    { name: "memory", mountpoint: `${root}/memory` },
    { name: "cpuset", mountpoint: `${root}/cpuset` },
    { name: "devices", mountpoint: `${root}/devices` },
  ],
};
const v2: CgroupLayout = { kind: "v2", root, available: ["cpuset", "cpu", "memory", "pids"] };
const everything = { devices: [{ allow: true, access: "rwm" }] };

test("version 1: one directory a hierarchy, cpuset only where it is limited", () => {
  const plan = planCgroup(v1, "/mycontainer/x", everything);
  assert.deepEqual(plan, {
    layout: "v1",
    path: "/mycontainer/x",
    directories: [
      { controllers: ["cpu", "cpuacct"], directory: `${root}/cpu,cpuacct/mycontainer/x` },
      { controllers: ["memory"], directory: `${root}/memory/mycontainer/x` },
      { controllers: ["devices"], directory: `${root}/devices/mycontainer/x` },
    ],
    enable: [],
    writes: [],
    warnings: [],
  });
  const limited = planCgroup(v1, "/mycontainer/x", { ...everything, cpu: { cpus: "0" } });
  assert.ok(limited.directories.some(({ directory }) => directory === `${root}/cpuset/mycontainer/x`));
  assert.deepEqual(
    limited.writes.map(({ file, value }) => `${file} ${value}`),
    [`${root}/cpuset/mycontainer/x/cpuset.cpus 0`],
  );
});

test("version 2: controllers are handed down from the root, and devices guarded by a program", () => {
  const plan = planCgroup(v2, "/mycontainer/x", { memory: { limit: 4096 } });
  assert.deepEqual(plan.directories, [{ controllers: ["cpu", "memory", "pids"], directory: `${root}/mycontainer/x` }]);
  assert.deepEqual(plan.enable, [
    { file: `${root}/cgroup.subtree_control`, value: "+cpu +memory +pids" },
    { file: `${root}/mycontainer/cgroup.subtree_control`, value: "+cpu +memory +pids" },
  ]);
  assert.deepEqual(plan.writes, [
    { controller: "memory", file: `${root}/mycontainer/x/memory.max`, value: "4096", asked: true },
  ]);
  assert.ok((plan.devicesProgram?.length ?? 0) > 0);
  assert.equal(planCgroup(v2, "/x", everything).devicesProgram, undefined);
});

test("a limit that was asked for and whose controller is missing is an error that names it", () => {
  const plan = () => planCgroup(v1, "/x", { pids: { limit: 5 } });
  assert.throws(plan, (error) => error instanceof Failure && error.message.includes("'pids'"));
});

test("a default limit whose controller is missing is a warning", () => {
  const plan = planCgroup(v1, "/x", { ...everything, pids: { limit: 5 } }, { askedFor: () => false });
  assert.equal(plan.writes.length, 0);
  assert.deepEqual(plan.warnings, ["the number of processes is not limited: this host has no 'pids' controller"]);
});

test("without any cgroups there is a warning, and nothing to make", () => {
  const plan = planCgroup({ kind: "v1", controllers: [] }, "/x", {});
  assert.deepEqual(plan.directories, []);
  assert.equal(plan.warnings.length, 1);
});

test("unified files of the core need no controller", () => {
  const plan = planCgroup(v2, "/x", { unified: { "cgroup.max.depth": "3" } });
  assert.deepEqual(plan.directories[0]?.controllers, ["cpu", "memory", "pids"]);
  assert.equal(plan.writes[0]?.file, `${root}/x/cgroup.max.depth`);
});

test("what is written instead lies in the cgroup too", () => {
  const plan = planCgroup({ ...v2, available: ["io"] }, "/x", { blockIO: { weight: 10 } });
  assert.equal(plan.writes[0]?.instead?.file, `${root}/x/io.weight`);
});

test("an update touches nothing but what it names", () => {
  const plan = planUpdate(v2, "/x", { memory: { limit: 4096 } });
  assert.equal(plan.devicesProgram, undefined);
  assert.deepEqual(
    plan.writes.map(({ file }) => file),
    [`${root}/x/memory.max`],
  );
  assert.deepEqual(planUpdate(v1, "/x", {}).writes, []);
});

test("a plan is plain data", () => {
  for (const layout of [v1, v2]) {
    const plan = planCgroup(layout, "/a/b", { memory: { limit: 4096 } });
    assert.equal(JSON.stringify(JSON.parse(JSON.stringify(plan))), JSON.stringify(plan));
  }
});

test("a path that means a root, or leads elsewhere, is refused", () => {
  for (const path of ["", "/", "a", "/a/", "/a//b", "/.", "/a/../b", "/a\n", "/a\0", `/${"a".repeat(256)}`])
    assert.throws(() => checkCgroupPath(path), Failure);
  assert.equal(checkCgroupPath("/a/b-c.d"), "/a/b-c.d");
});

test("the cgroups above one are named from the top", () => {
  assert.deepEqual(ancestorsOf("/a/b/c"), ["/a", "/a/b"]);
  assert.deepEqual(ancestorsOf("/a"), []);
});
