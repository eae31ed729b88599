import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMountOptions } from "../../../src/isolation/mount-options.ts";
import { verdictOf } from "../../../src/isolation/seccomp/actions.ts";
import { architecturesOf } from "../../../src/isolation/seccomp/architectures.ts";
import { type FeatureFacts, features } from "../../../src/oci/features.ts";
import type { SeccompAction } from "../../../src/spec/config.ts";

const nothing = {
  systemd: false,
  systemdUser: false,
  intelRdt: false,
  idmap: false,
  netDevices: false,
  memoryPolicy: false,
  hooks: false,
};
const facts: FeatureFacts = { version: "1.2.3", seccompFlags: ["SECCOMP_FILTER_FLAG_LOG"], has: nothing };

test("every mount option that is named is one of ours, and none is left to the file system", () => {
  const { mountOptions } = features(facts);
  assert.ok(mountOptions.includes("rro") && mountOptions.includes("rslave"));
  assert.deepEqual([...mountOptions], [...mountOptions].sort());
  for (const option of mountOptions) assert.deepEqual(parseMountOptions([option], "x").data, [], option);
});

test("every action and architecture of seccomp that is named is taken by the compiler", () => {
  const { seccomp } = features(facts).linux;
  assert.equal(seccomp.actions.length, 9);
  for (const action of seccomp.actions) assert.doesNotThrow(() => verdictOf(action as SeccompAction, undefined));
  assert.ok(seccomp.archs.includes("SCMP_ARCH_S390X"));
  assert.doesNotThrow(() => architecturesOf("x86_64", seccomp.archs));
});

test("flags are known to us, and supported if the kernel has them too", () => {
  const { seccomp } = features(facts).linux;
  assert.ok(seccomp.knownFlags.includes("SECCOMP_FILTER_FLAG_TSYNC"));
  assert.deepEqual(seccomp.supportedFlags, ["SECCOMP_FILTER_FLAG_LOG"]);
});

test("what is not there is false, or left out where the specification is newer", () => {
  const document = features(facts);
  assert.deepEqual(document.linux.cgroup, { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true });
  assert.equal(document.linux.mountExtensions.idmap.enabled, false);
  assert.ok(!("netDevices" in document.linux) && !("potentiallyUnsafeConfigAnnotations" in document));
  const all = features({
    ...facts,
    has: { ...nothing, netDevices: true, hooks: true },
    unsafeAnnotations: ["run.oci."],
  });
  assert.equal(all.linux.netDevices?.enabled, true);
  assert.equal(all.hooks.length, 6);
  assert.deepEqual(all.potentiallyUnsafeConfigAnnotations, ["run.oci."]);
});
