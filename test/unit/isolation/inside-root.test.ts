import assert from "node:assert/strict";
import { test } from "node:test";
import { findInside, inRoot } from "../../../src/isolation/inside-root.ts";
import { bindOf } from "../../../src/isolation/root-steps.ts";

test("a destination that begins with the root's path is below the root", () => {
  const destinations = (root: string, ...paths: string[]) =>
    inRoot(
      root,
      paths.map((destination) => ({ destination })),
    ).map(({ destination }) => destination);
  assert.deepEqual(destinations("/b/root", "/b/root/mnt", "/b//root/./a/", "/b/rootfs", "/b", "mnt"), [
    "/mnt",
    "/a",
    "/b/rootfs",
    "/b",
    "mnt",
  ]);
  assert.deepEqual(destinations("/b/root", "/b/root/../../etc"), ["/b/root/../../etc"]);
  assert.deepEqual(destinations("/", "/mnt//a"), ["/mnt//a"]);
});

test("a source is in the container where something has been mounted on it, or above it, before", () => {
  const steps = [
    bindOf("/b/root/mnt", "/early", 0),
    bindOf("/src", "/mnt", 0),
    bindOf("/b/root/mnt", "/one", 0),
    bindOf("/b/root/mnt/x", "/two", 0),
    bindOf("/b/root/mntx", "/three", 0),
    bindOf("/b/root/late", "/four", 0),
    bindOf("/src2", "/late", 0),
    bindOf("/b/root/mnt/../../etc", "/five", 0),
  ];
  const found = findInside("/b/root", steps).map((step) => (step.do === "bind" ? step.inside : "not a bind"));
  assert.deepEqual(found, [undefined, undefined, "/mnt", "/mnt/x", undefined, undefined, undefined, undefined]);
});
