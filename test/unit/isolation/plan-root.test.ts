import assert from "node:assert/strict";
import { test } from "node:test";
import { planRoot, type RootFacts, rootPropagation } from "../../../src/isolation/plan-root.ts";
import type { BindStep, FilesystemStep, RootStep } from "../../../src/isolation/root-steps.ts";
import { ATTR, MS } from "../../../src/linux/mount.ts";
import type { Linux, Mount, Spec } from "../../../src/spec/config.ts";

const FACTS: RootFacts = { cgroupView: { kind: "v2-private" }, userNamespace: false };

function plan(mounts: Mount[], linux: Linux = {}): RootStep[] {
  const spec: Spec = { ociVersion: "1.0.2", mounts, linux };
  return planRoot(spec, FACTS);
}

function binds(mount: Partial<Mount>): BindStep | undefined {
  const steps = plan([{ destination: "/x", type: "bind", source: "/src", ...mount }]);
  return steps.find((step) => step.do === "bind");
}

const ids = [{ containerID: 0, hostID: 1000, size: 10 }];

test("a bind mount is of one mount unless rbind is named", () => {
  assert.equal(binds({})?.recursive, false);
  assert.equal(binds({ options: ["rbind"] })?.recursive, true);
});

test("a bind mount is private where nothing is said", () => {
  assert.deepEqual([binds({})?.propagation, binds({})?.propagationRecursive], [MS.private, true]);
  assert.deepEqual([binds({ options: ["rslave"] })?.propagation], [MS.slave]);
});

test("a bind mount takes no options of a file system", () => {
  assert.throws(() => binds({ options: ["size=1"] }), /unknown option 'size=1'/);
});

test("a mount has ids of its own, or with idmap the container's", () => {
  assert.deepEqual(binds({ uidMappings: ids, gidMappings: ids })?.idMaps, { uids: ids, gids: ids });
  assert.deepEqual(binds({ uidMappings: ids, gidMappings: ids })?.idmapRecursive, undefined);
  assert.equal(binds({ options: ["idmap"] })?.idMaps, "container");
  assert.equal(binds({ options: ["ridmap"] })?.idmapRecursive, true);
  assert.equal(binds({})?.idMaps, undefined);
});

test("ids are mapped of users and groups, and of bind mounts only", () => {
  assert.throws(() => binds({ uidMappings: ids }), /both/);
  assert.throws(() => plan([{ destination: "/x", type: "tmpfs", options: ["idmap"] }]), /bind mounts only/);
});

test("nothing is mounted inside /proc but what lxcfs covers", () => {
  assert.throws(() => binds({ destination: "/proc/sys" }), /inside \/proc/);
  assert.throws(() => binds({ destination: "//proc/./self/attr" }), /inside \/proc/);
  assert.throws(() => plan([{ destination: "/proc", type: "tmpfs" }]), /not of type proc/);
  assert.equal(binds({ destination: "/proc/cpuinfo" })?.target, "/proc/cpuinfo");
  assert.equal(binds({ destination: "/process" })?.target, "/process");
});

test("the root itself is no destination", () => {
  for (const destination of ["/", "//", "/./", "."]) assert.throws(() => binds({ destination }), /container's root/);
});

test("a relative destination is below the root", () => {
  assert.equal(binds({ destination: "data" })?.target, "/data");
});

test("a read-only tmpfs is closed when all is mounted in it", () => {
  const steps = plan([
    { destination: "/t", type: "tmpfs", options: ["ro", "nosuid"] },
    { destination: "/t/a", type: "bind", source: "/a" },
  ]);
  const made = steps.find((step): step is FilesystemStep => step.do === "mount" && step.target === "/t");
  assert.equal(made?.attributes, ATTR.nosuid);
  assert.deepEqual(steps.at(-1), { do: "read-only", path: "/t", alone: true });
});

test("a read-only proc is read-only at once", () => {
  const steps = plan([{ destination: "/proc", type: "proc", options: ["ro"] }]);
  assert.equal(steps.find((step) => step.do === "mount")?.attributes, ATTR.rdonly);
});

test("a /dev of the host keeps its devices and links", () => {
  const steps = plan([{ destination: "/dev", type: "bind", source: "/dev" }]);
  assert.deepEqual(
    steps.map((step) => step.do),
    ["bind"],
  );
});

test("only a tmpfs is filled from below", () => {
  const [step] = plan([{ destination: "/t", type: "tmpfs", options: ["tmpcopyup"] }]);
  assert.equal(step?.do === "mount" && step.copyUp, true);
  assert.throws(() => plan([{ destination: "/t", type: "ramfs", options: ["tmpcopyup"] }]), /tmpcopyup/);
});

test("the mount label is for file systems that have no labels of their own", () => {
  const steps = plan(
    [
      { destination: "/t", type: "tmpfs" },
      { destination: "/proc", type: "proc" },
    ],
    { mountLabel: "u:r:t:s0" },
  );
  const labels = steps.flatMap((step) => (step.do === "mount" ? [step.label] : []));
  assert.deepEqual(labels, ["context=u:r:t:s0", undefined]);
});

test("the mount label is of the kind that an annotation names", () => {
  const linux = { mountLabel: "u:r:t:s0" };
  const mounts = [{ destination: "/t", type: "tmpfs" }];
  const annotations = { "run.oci.mount_context_type": "rootcontext" };
  const [step] = planRoot({ ociVersion: "1.0.2", mounts, linux, annotations }, FACTS);
  assert.equal(step?.do === "mount" && step.label, "rootcontext=u:r:t:s0");
});

test("the root is private unless the configuration ties it to the host", () => {
  const of = (rootfsPropagation: string) => rootPropagation({ ociVersion: "1.0.2", linux: { rootfsPropagation } });
  assert.deepEqual(rootPropagation({ ociVersion: "1.0.2" }), { initial: MS.private });
  assert.deepEqual(of("rprivate"), { initial: MS.private });
  assert.deepEqual(of("rslave"), { initial: MS.slave, final: MS.slave | MS.rec });
  assert.deepEqual(of("shared"), { initial: MS.private, final: MS.shared });
  assert.throws(() => of("constructor"), /rootfsPropagation 'constructor'/);
});
