import assert from "node:assert/strict";
import { test } from "node:test";
import { hintFor } from "../../../src/cli/report.ts";

test("who is root is not told to become root", () => {
  assert.match(hintFor("EPERM", false) ?? "", /run it as root/);
  assert.doesNotMatch(hintFor("EPERM", true) ?? "", /run it as root/);
});

test("a full disk and one that is read-only have their hints, others none", () => {
  assert.match(hintFor("ENOSPC", true) ?? "", /free some space/);
  assert.match(hintFor("EROFS", true) ?? "", /MYCONTAINER_ROOT/);
  assert.equal(hintFor("EINVAL", true), undefined);
});
