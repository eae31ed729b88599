import assert from "node:assert/strict";
import { test } from "node:test";
import { flagsOf } from "../../../../src/isolation/seccomp/from-profile.ts";
import { processState } from "../../../../src/isolation/seccomp/notify.ts";
import type { Seccomp } from "../../../../src/spec/config.ts";

const LOG = 2;
const SPEC_ALLOW = 4;
const NEW_LISTENER = 8;
const WAIT_KILLABLE_RECV = 32;

const allow: Seccomp = { defaultAction: "SCMP_ACT_ALLOW" };
const notify: Seccomp = {
  ...allow,
  listenerPath: "/run/agent",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }],
};

test("a profile without flags has the one that runc sets", () => {
  assert.equal(flagsOf(allow), SPEC_ALLOW);
});

test("an empty list of flags is the wish for none", () => {
  assert.equal(flagsOf({ ...allow, flags: [] }), 0);
});

test("flags are those named; that for all threads is met by having one", () => {
  const flags = ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"];
  assert.equal(flagsOf({ ...allow, flags }), LOG);
});

test("an unknown flag is refused by name", () => {
  assert.throws(() => flagsOf({ ...allow, flags: ["SECCOMP_FILTER_FLAG_X"] }), /no flag 'SECCOMP_FILTER_FLAG_X'/);
  assert.throws(() => flagsOf({ ...allow, flags: ["constructor"] }), /no flag 'constructor'/);
});

test("a rule that notifies asks for a listener", () => {
  assert.equal(flagsOf(notify), SPEC_ALLOW | NEW_LISTENER);
});

test("how to wait for an agent is said only where there is one", () => {
  const flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
  assert.equal(flagsOf({ ...notify, flags }), NEW_LISTENER | WAIT_KILLABLE_RECV);
  assert.equal(flagsOf({ ...allow, flags }), 0);
});

test("notifying is no default action, and not for write", () => {
  assert.throws(() => flagsOf({ defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/run/agent" }), /default action/);
  const syscalls: Seccomp["syscalls"] = [{ names: ["read", "write"], action: "SCMP_ACT_NOTIFY" }];
  assert.throws(() => flagsOf({ ...notify, syscalls }), /for the write syscall/);
});

test("notifying needs the path of an agent; a path that nothing is sent to does no harm", () => {
  assert.throws(() => flagsOf({ ...notify, listenerPath: "" }), /needs a listenerPath/);
  assert.equal(flagsOf({ ...allow, listenerPath: "/run/agent" }), SPEC_ALLOW);
});

test("metadata for nobody is refused", () => {
  assert.throws(() => flagsOf({ ...allow, listenerMetadata: "m" }), /without a listenerPath/);
});

test("an agent is told which descriptor it gets, of which process, and the profile's metadata if there is some", () => {
  const state = { id: "x" };
  assert.deepEqual(JSON.parse(processState({ ociVersion: "1.2.0", pid: 7, metadata: "m", state })), {
    ociVersion: "1.2.0",
    fds: ["seccompFd"],
    pid: 7,
    metadata: "m",
    state,
  });
  assert.equal(
    "metadata" in JSON.parse(processState({ ociVersion: "1.2.0", pid: 7, metadata: undefined, state })),
    false,
  );
});
