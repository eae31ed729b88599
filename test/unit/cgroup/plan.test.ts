import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { CgroupLayout } from "../../../src/cgroup/layout.ts";
import { ancestorsOf, checkCgroupPath, resolveCgroupsPath } from "../../../src/cgroup/path.ts";
import { planCgroup, planUpdate } from "../../../src/cgroup/plan.ts";
import { Failure } from "../../../src/failure.ts";
import type { Resources } from "../../../src/spec/config.ts";

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

test("version 1: a directory in each hierarchy, whatever is limited", () => {
  const plan = planCgroup(v1, "/mycontainer/x", everything);
  assert.deepEqual(plan, {
    layout: "v1",
    path: "/mycontainer/x",
    directories: [
      { controllers: ["cpu", "cpuacct"], directory: `${root}/cpu,cpuacct/mycontainer/x` },
      { controllers: ["memory"], directory: `${root}/memory/mycontainer/x` },
      { controllers: ["cpuset"], directory: `${root}/cpuset/mycontainer/x` },
      { controllers: ["devices"], directory: `${root}/devices/mycontainer/x` },
    ],
    enable: [],
    writes: [
      {
        controller: "devices",
        file: `${root}/devices/mycontainer/x/devices.allow`,
        value: "a",
        asked: true,
        initial: true,
        optional: true,
      },
    ],
    warnings: [],
  });
  const limited = planCgroup(v1, "/mycontainer/x", { ...everything, cpu: { cpus: "0" } });
  assert.deepEqual(
    limited.writes.filter(({ initial }) => initial !== true).map(({ file, value }) => `${file} ${value}`),
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
  assert.ok(plan.writes.every(({ controller }) => controller !== "pids"));
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

test("an update replaces the program that guards devices, also by one that allows all", () => {
  assert.ok((planUpdate(v2, "/x", { devices: [] }).devicesProgram?.length ?? 0) > 1);
  assert.deepEqual(planUpdate(v2, "/x", everything).devicesProgram, [
    { allow: true, type: "a", major: undefined, minor: undefined, access: "rwm" },
  ]);
});

test("a missing controller comes with what an administrator can do, on each layout", () => {
  const hybrid: CgroupLayout = { ...v1, kind: "hybrid", unified: { root: `${root}/unified`, available: [] } };
  const hintOf = (layout: CgroupLayout) => {
    try {
      planCgroup(layout, "/x", { rdma: { mlx5_0: { hcaHandles: 1 } } });
    } catch (error) {
      return error instanceof Failure ? error.hint : undefined;
    }
    return undefined;
  };
  assert.match(hintOf(v1) ?? "", /mount -t cgroup -o rdma/);
  assert.match(hintOf(v2) ?? "", /Delegate=rdma/);
  assert.match(hintOf(hybrid) ?? "", /mount -t cgroup -o rdma/);
  assert.match(hintOf({ ...v2, available: [] }) ?? "", /no controllers/);
});

const ordinary: Resources = {
  memory: { limit: 512 * 2 ** 20, swap: 2 ** 30 },
  cpu: { quota: 50_000, period: 100_000, shares: 512 },
  pids: { limit: 2048 },
  devices: [
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
  ],
};
const all = ["blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"];
const layouts: Record<string, CgroupLayout> = {
  v1: { kind: "v1", controllers: all.map((name) => ({ name, mountpoint: `${root}/${name}` })) },
  v2: { kind: "v2", root, available: ["cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc"] },
};

// `UPDATE_GOLDEN=1 npm run test:unit` writes these files anew.
for (const [name, layout] of Object.entries(layouts))
  test(`the whole plan of an ordinary container is as in golden/plan-${name}.json`, () => {
    const plan = `${JSON.stringify(planCgroup(layout, "/mycontainer/alpine-c4a2f1", ordinary), null, 2)}\n`;
    const golden = new URL(`./golden/plan-${name}.json`, import.meta.url);
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(golden, plan);
    assert.equal(plan, readFileSync(golden, "utf8"));
  });

function hybridOf(...available: string[]): CgroupLayout {
  const { v1: pure } = layouts;
  assert.ok(pure?.kind === "v1");
  return { ...pure, kind: "hybrid", unified: { root: `${root}/unified`, available } };
}

test("a hybrid layout has the limits of version 1, and the cgroup is in its unified hierarchy too", () => {
  const { directories, ...hybrid } = planCgroup(hybridOf("memory"), "/x", ordinary);
  assert.deepEqual(directories.at(-1), { controllers: [], directory: `${root}/unified/x`, unified: true });
  const { v1: pure } = layouts;
  assert.ok(pure !== undefined);
  const { directories: ofV1, ...plan } = planCgroup(pure, "/x", ordinary);
  assert.deepEqual(hybrid, { ...plan, layout: "hybrid" });
  assert.deepEqual(directories.slice(0, -1), ofV1);
});

test("a hybrid layout uses controllers of version 2 that version 1 does not have, in version 2's words", () => {
  const hugepageLimits = [{ pageSize: "2MB", limit: 4_194_304 }];
  const plan = planCgroup(hybridOf("hugetlb"), "/a/b", { ...ordinary, hugepageLimits });
  const writes = plan.writes.filter(({ controller }) => controller === "hugetlb");
  assert.deepEqual(
    writes.map(({ file, value }) => `${file} ${value}`),
    [`${root}/unified/a/b/hugetlb.2MB.max 4194304`, `${root}/unified/a/b/hugetlb.2MB.rsvd.max 4194304`],
  );
  assert.deepEqual(plan.directories.at(-1)?.controllers, ["hugetlb"]);
  assert.deepEqual(plan.enable, [
    { file: `${root}/unified/cgroup.subtree_control`, value: "+hugetlb" },
    { file: `${root}/unified/a/cgroup.subtree_control`, value: "+hugetlb" },
  ]);
  assert.throws(() => planCgroup(hybridOf(), "/a", { hugepageLimits }), /'hugetlb' controller/);
});

test("an update on a hybrid layout concerns the hierarchies of what is changed", () => {
  const hugepageLimits = [{ pageSize: "2MB", limit: 0 }];
  const directoriesOf = (update: Resources) =>
    planUpdate(hybridOf("hugetlb"), "/a", update).directories.map(({ directory }) => directory);
  assert.deepEqual(directoriesOf({ hugepageLimits }), [`${root}/unified/a`]);
  assert.deepEqual(directoriesOf({ pids: { limit: 3 } }), [`${root}/pids/a`]);
});

test("block I/O is io in the unified hierarchy, where version 1 has no blkio", () => {
  const layout: CgroupLayout = {
    kind: "hybrid",
    controllers: [{ name: "pids", mountpoint: `${root}/pids` }],
    unified: { root: `${root}/unified`, available: ["io"] },
  };
  const { writes } = planCgroup(
    layout,
    "/a",
    {
      blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 4096 }] },
      ...everything,
    },
    { askedFor: (name) => name !== "devices" },
  );
  assert.deepEqual(
    writes.map(({ file, value }) => `${file} ${value}`),
    [`${root}/unified/a/io.max 8:0 rbps=4096`],
  );
});

test("a relative path lies below our own place, an absolute one below the root; none is the container's name", () => {
  assert.equal(resolveCgroupsPath("a/b", "id"), "/mycontainer/a/b");
  assert.equal(resolveCgroupsPath("/a/b", "id"), "/a/b");
  assert.equal(resolveCgroupsPath(undefined, "id"), "/mycontainer/id");
  assert.equal(resolveCgroupsPath("", "id"), "/mycontainer/id");
  for (const path of ["..", "../x", "a/../../x", "/../x", "a//b", "/"])
    assert.throws(() => resolveCgroupsPath(path, "id"), Failure);
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
