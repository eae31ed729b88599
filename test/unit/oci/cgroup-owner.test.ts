import assert from "node:assert/strict";
import { test } from "node:test";
import { delegatedFiles } from "../../../src/cgroup/ownership.ts";
import { cgroupOwnerOf } from "../../../src/oci/plan.ts";
import type { Spec } from "../../../src/spec/config.ts";

const UID_MAPPINGS = [{ containerID: 0, hostID: 100_000, size: 1000 }];

function spec(types: string[], options: string[], uid = 0): Spec {
  return {
    ociVersion: "1.2.0",
    process: { cwd: "/", user: { uid, gid: 0 } },
    mounts: [{ destination: "/sys/fs/cgroup", type: "cgroup", options }],
    linux: { namespaces: types.map((type) => ({ type })), uidMappings: UID_MAPPINGS } as NonNullable<Spec["linux"]>,
  };
}

test("who runs in a namespace of cgroups that is writable owns the cgroup, by the host's id", () => {
  assert.equal(cgroupOwnerOf(spec(["cgroup", "user"], ["rw"])), 100_000);
  assert.equal(cgroupOwnerOf(spec(["cgroup", "user"], ["nosuid"], 7)), 100_007);
  assert.equal(cgroupOwnerOf(spec(["cgroup"], ["rw"], 7)), 7);
});

test("nobody owns it where it is read-only, the host's, not to be seen, or whose id is not mapped", () => {
  assert.equal(cgroupOwnerOf(spec(["cgroup", "user"], ["rw", "ro"])), undefined);
  assert.equal(cgroupOwnerOf(spec(["user"], ["rw"])), undefined);
  assert.equal(cgroupOwnerOf({ ...spec(["cgroup"], ["rw"]), mounts: [] }), undefined);
  assert.equal(cgroupOwnerOf(spec(["cgroup", "user"], ["rw"], 5000)), undefined);
});

test("the kernel's list says which files go with a cgroup; names that are paths do not", () => {
  assert.deepEqual(delegatedFiles("cgroup.procs\nmemory.reclaim\n../x\n"), ["cgroup.procs", "memory.reclaim"]);
  assert.deepEqual(delegatedFiles(undefined), ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]);
});
