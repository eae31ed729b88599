import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultSpec, rootlessSpec } from "../../../src/oci/default-spec.ts";

const user = { uid: 1000, gid: 100 };

test("the example asks for no device and a read-only root, and for a cgroup namespace only with version 2", () => {
  const types = (unified: boolean) => defaultSpec(unified).linux?.namespaces?.map(({ type }) => type);
  assert.deepEqual(types(false), ["pid", "network", "ipc", "uts", "mount"]);
  assert.deepEqual(types(true), ["pid", "network", "ipc", "uts", "mount", "cgroup"]);
  assert.deepEqual(defaultSpec().linux?.resources?.devices, [{ allow: false, access: "rwm" }]);
  assert.deepEqual(defaultSpec().root, { path: "rootfs", readonly: true });
});

test("without root, the one user is root of a user namespace, and the network is the host's", () => {
  const { linux } = rootlessSpec(defaultSpec(true), user);
  assert.deepEqual(linux?.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.deepEqual(linux?.gidMappings, [{ containerID: 0, hostID: 100, size: 1 }]);
  assert.deepEqual(
    linux?.namespaces?.map(({ type }) => type),
    ["pid", "ipc", "uts", "mount", "cgroup", "user"],
  );
  assert.equal(linux?.resources, undefined);
});

test("without root, no mount names an id, and /sys is bound", () => {
  const mounts = rootlessSpec(defaultSpec(), user).mounts ?? [];
  assert.ok(mounts.every(({ options }) => (options ?? []).every((option) => !option.includes("gid="))));
  assert.equal(mounts.find(({ destination }) => destination === "/dev/pts")?.options?.includes("mode=0620"), true);
  assert.deepEqual(mounts.find(({ destination }) => destination === "/sys")?.options?.[0], "rbind");
});

test("an example is changed by nobody else's", () => {
  defaultSpec().process?.capabilities?.bounding?.push("CAP_SYS_ADMIN");
  assert.ok(!defaultSpec().process?.capabilities?.bounding?.includes("CAP_SYS_ADMIN"));
});
