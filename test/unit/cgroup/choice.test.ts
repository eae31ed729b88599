import assert from "node:assert/strict";
import { test } from "node:test";
import { directoriesOfChoice, ownChoice, parseChoice } from "../../../src/cgroup/choice.ts";
import type { CgroupLayout } from "../../../src/cgroup/layout.ts";

const hybrid: CgroupLayout = {
  kind: "hybrid",
  controllers: [
    { name: "cpu", mountpoint: "/c/cpu,cpuacct" },
    { name: "cpuacct", mountpoint: "/c/cpu,cpuacct" },
    { name: "memory", mountpoint: "/c/memory" },
    { name: "name=systemd", mountpoint: "/c/systemd" },
  ],
  unified: { root: "/c/unified", available: [] },
};

const where = (asked: string[], layout: CgroupLayout = hybrid) =>
  Object.fromEntries(directoriesOfChoice(layout, asked.length === 0 ? ownChoice("/a") : parseChoice("/a", asked)));

test("without a choice it is the container's own cgroup, everywhere", () => {
  const everywhere = { "/c/cpu,cpuacct": "/a", "/c/memory": "/a", "/c/systemd": "/a", "/c/unified": "/a" };
  assert.deepEqual(where([]), everywhere);
  assert.deepEqual(where(["/"]), everywhere);
  assert.equal(parseChoice("/a", ["/"]).isAsked, true);
  assert.equal(ownChoice("/a").isAsked, false);
});

test("a path is below the container's in all hierarchies, one of controllers in theirs", () => {
  assert.deepEqual(where(["b/./c"]), {
    "/c/cpu,cpuacct": "/a/b/c",
    "/c/memory": "/a/b/c",
    "/c/systemd": "/a/b/c",
    "/c/unified": "/a/b/c",
  });
  assert.deepEqual(where(["memory:m", "cpu,cpuacct:x", "systemd:s"]), {
    "/c/cpu,cpuacct": "/a/x",
    "/c/memory": "/a/m",
    "/c/systemd": "/a/s",
    "/c/unified": "/a",
  });
});

test("nothing above the container's cgroup is to be had, and no controller that there is not", () => {
  for (const path of ["..", "../sibling", "a/../../b", "cpu:../b"])
    assert.throws(() => parseChoice("/a", [path]), /bad sub cgroup path: .* is not a sub cgroup path/, path);
  assert.throws(() => where(["whaaat:/"]), /unknown controller whaaat/);
  assert.throws(() => where(["cpu:b"], { kind: "v2", root: "/c", available: [] }), /one hierarchy/);
});
