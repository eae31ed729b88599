import assert from "node:assert/strict";
import { test } from "node:test";
import type { CgroupPlan } from "../../../src/cgroup/plan.ts";
import { withoutCgroup } from "../../../src/container/without-cgroup.ts";
import { bindOf, type RootStep } from "../../../src/isolation/root-steps.ts";
import type { Plan } from "../../../src/plan/plan.ts";

const V1: CgroupPlan = {
  layout: "hybrid",
  path: "/engine/box",
  directories: [
    { controllers: ["cpu", "cpuacct"], directory: "/sys/fs/cgroup/cpu,cpuacct/engine/box" },
    { controllers: ["pids"], directory: "/sys/fs/cgroup/pids/engine/box" },
    { controllers: ["name=systemd"], directory: "/sys/fs/cgroup/systemd/engine/box" },
    { controllers: [], directory: "/sys/fs/cgroup/unified/engine/box", unified: true },
  ],
  enable: [],
  writes: [],
  warnings: [],
};
const V2: CgroupPlan = {
  ...V1,
  layout: "v2",
  directories: [{ controllers: ["pids"], directory: "/sys/fs/cgroup/engine/box" }],
};

/** The sources of a plan's bind mounts where its cgroup could not be made. */
function sourcesOf(cgroup: CgroupPlan, membership: string, ...sources: string[]): string[] {
  const steps: RootStep[] = sources.map((source) => bindOf(source, "/target", 0));
  const { rootSteps } = withoutCgroup({ cgroup, rootSteps: steps } as unknown as Plan, cgroup, membership);
  return rootSteps.map((step) => (step.do === "bind" ? step.source : step.do));
}

test("of version 1, each hierarchy shows where we are in it", () => {
  const membership = "4:pids:/\n3:cpu,cpuacct:/user/1000\n2:name=systemd:/user.slice/a:b\n0::/session\n";
  assert.deepEqual(sourcesOf(V1, membership, ...V1.directories.map(({ directory }) => directory), "/etc/hosts"), [
    "/sys/fs/cgroup/cpu,cpuacct/user/1000",
    "/sys/fs/cgroup/pids",
    "/sys/fs/cgroup/systemd/user.slice/a:b",
    "/sys/fs/cgroup/unified/session",
    "/etc/hosts",
  ]);
});

test("of version 2, there is one line for all controllers", () => {
  assert.deepEqual(sourcesOf(V2, "0::/user.slice\n", "/sys/fs/cgroup/engine/box"), ["/sys/fs/cgroup/user.slice"]);
});

test("a hierarchy that we are told nothing of stays as it was planned", () => {
  assert.deepEqual(sourcesOf(V2, "", "/sys/fs/cgroup/engine/box"), ["/sys/fs/cgroup/engine/box"]);
});
