import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { asksForLabels, checkLabels } from "../../../src/isolation/labels.ts";

const NONE = { apparmor: false, selinux: false };

test("without labels nothing is asked of the host", () => {
  assert.equal(asksForLabels({}), false);
  assert.equal(asksForLabels({ apparmorProfile: "", selinuxLabel: "" }), false);
  assert.equal(asksForLabels({ selinuxLabel: "a:b:c:s0" }), true);
  checkLabels({}, NONE);
});

test("a label that no module would enforce is refused with what to do", () => {
  for (const labels of [
    { apparmorProfile: "mine" },
    { selinuxLabel: "system_u:system_r:container_t:s0" },
    { mountLabel: "system_u:object_r:container_file_t:s0" },
  ]) {
    assert.throws(
      () => checkLabels(labels, NONE),
      (error) => error instanceof Failure && /not active/.test(error.message) && error.hint !== undefined,
    );
  }
  checkLabels({ apparmorProfile: "mine", selinuxLabel: "a:b:c:s0" }, { apparmor: true, selinux: true });
});

test("no confinement can be had everywhere", () => {
  checkLabels({ apparmorProfile: "unconfined" }, NONE);
});

test("labels of several lines are refused", () => {
  for (const label of ["a\nb", "a\0b", "a".repeat(4096)]) {
    assert.throws(() => checkLabels({ apparmorProfile: label }, { apparmor: true, selinux: true }), /malformed/);
  }
});
