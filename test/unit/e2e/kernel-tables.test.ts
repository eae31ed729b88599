import assert from "node:assert/strict";
import { test } from "node:test";
import { newIn, parseMounts, parseStat, type Tables } from "../../e2e/kernel-tables.ts";

const NOTHING: Tables = {
  mounts: [],
  cgroups: [],
  links: [],
  routes: [],
  rules: [],
  processes: [],
  namespaces: [],
  files: [],
};

test("a mount is its point and type", () => {
  const text =
    "23 27 0:22 / /sys rw,relatime - sysfs sysfs rw\n41 31 0:38 / /a\\040b rw shared:1 master:2 - cgroup2 x rw\n";
  assert.deepEqual(parseMounts(text), ["/sys (sysfs)", "/a\\040b (cgroup2)"]);
});

test("a process may have brackets in its name", () => {
  assert.deepEqual(parseStat("12 (a) b (c) S 1 12 0"), { name: "a) b (c", state: "S", parent: "1" });
});

test("a leak is what was not there before, as often as it is there now", () => {
  const before = { ...NOTHING, mounts: ["/a (tmpfs)"], links: ["lo"] };
  const later = { ...NOTHING, mounts: ["/a (tmpfs)", "/a (tmpfs)"], links: ["veth0-c4a2f1", "lo"] };
  assert.deepEqual(newIn(later, before), ["mounts: /a (tmpfs)", "links: veth0-c4a2f1"]);
});

test("what is gone is no leak", () => {
  assert.deepEqual(newIn(NOTHING, { ...NOTHING, links: ["veth0-c4a2f1"] }), []);
});
