import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { parseMountOptions } from "../../../src/isolation/mount-options.ts";
import { type CgroupView, planCgroupMount } from "../../../src/isolation/plan-cgroup-mount.ts";
import { ATTR, MS } from "../../../src/linux/mount.ts";

const AT = "/sys/fs/cgroup";
const V1: CgroupView = {
  kind: "v1",
  isPrivate: false,
  directories: [{ name: "cpu,cpuacct", source: "/h/cpu,cpuacct/x" }],
  links: [{ name: "cpu", to: "cpu,cpuacct" }],
  unified: "/h/unified/x",
};
const plan = (type: string, view: CgroupView, ...options: string[]) =>
  planCgroupMount(AT, type, parseMountOptions(options, AT), view);

test("version 1 is a tmpfs with a bind mount a hierarchy and links to co-mounted ones", () => {
  const steps = plan("cgroup", V1, "ro", "nosuid");
  assert.deepEqual(
    steps.map((step) => `${step.do} ${"target" in step ? step.target : "path" in step ? step.path : ""}`),
    [`mount ${AT}`, `bind ${AT}/cpu,cpuacct`, `link ${AT}/cpu`],
  );
  const [tmpfs, bound] = steps;
  assert.ok(tmpfs?.do === "mount" && bound?.do === "bind");
  assert.equal(tmpfs.type, "tmpfs");
  assert.equal(bound.set, ATTR.rdonly | ATTR.nosuid);
});

test("cgroup2 beside version 1 is the unified hierarchy, and never more of it than the container's", () => {
  const [bound] = plan("cgroup2", V1);
  assert.ok(bound?.do === "bind");
  assert.equal(bound.source, "/h/unified/x");
  const [mounted] = plan("cgroup2", { ...V1, isPrivate: true });
  assert.ok(mounted?.do === "mount");
  assert.equal(mounted.type, "cgroup2");
  const { unified: _, ...without } = V1;
  assert.throws(() => plan("cgroup2", without), Failure);
});

test("propagation is kept", () => {
  for (const view of [V1, { kind: "v2-private" }, { kind: "v2-host", directory: "/h/x" }] as const) {
    const [first] = plan("cgroup", view, "rslave");
    assert.ok(first?.do === "mount" || first?.do === "bind");
    assert.deepEqual([first.propagation, first.propagationRecursive], [MS.slave, true]);
  }
});

test("options of the file system are for a mount of the container's own, and refused with the host's", () => {
  const [mounted] = plan("cgroup", { kind: "v2-private" }, "nsdelegate");
  assert.ok(mounted?.do === "mount");
  assert.deepEqual(mounted.data, ["nsdelegate"]);
  assert.throws(() => plan("cgroup", { kind: "v2-host", directory: "/h/x" }, "nsdelegate"), /nsdelegate/);
  assert.throws(() => plan("cgroup", V1, "nsdelegate"), /nsdelegate/);
});
