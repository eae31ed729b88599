import assert from "node:assert/strict";
import { test } from "node:test";
import { type CopyTarget, parseCopyArgument, parseCopyPath, planCopy } from "../../../src/container/copy-rules.ts";

test("a word with a colon is a container and a path, unless it is written as a path", () => {
  assert.deepEqual(parseCopyArgument("web:/a:b"), { kind: "container", container: "web", path: "/a:b" });
  assert.deepEqual(parseCopyArgument("web:"), { kind: "container", container: "web", path: "" });
  for (const path of ["./a:b", "/a:b", "../a:b", "a", ".a:b"]) {
    assert.deepEqual(parseCopyArgument(path), { kind: "host", path });
  }
  assert.deepEqual(parseCopyArgument("-"), { kind: "stream" });
});

test("paths are taken as docker takes them", () => {
  const parse = (text: string) => {
    const { path, name, isDirectory, isContents } = parseCopyPath(text, "/here");
    return [path, name, isDirectory, isContents];
  };
  assert.deepEqual(parse("a"), ["/here/a", "a", false, false]);
  assert.deepEqual(parse("/x//./y/../z/"), ["/x/z", "z", true, false]);
  assert.deepEqual(parse("/x/."), ["/x", "x", true, true]);
  assert.deepEqual(parse("."), ["/here", "here", true, true]);
  assert.deepEqual(parse("/../.."), ["/", "", false, false]);
  assert.deepEqual(parse(""), ["/here", "here", false, false]);
  assert.deepEqual(parse("/x/..."), ["/x/...", "...", false, false]);
});

const at = (text: string) => parseCopyPath(text, "/");
const plan = (source: string, isDirectory: boolean, target: CopyTarget, wanted: string) =>
  planCopy(at(source), isDirectory, target, at(wanted), wanted);
const directory: CopyTarget = { kind: "directory" };
const file: CopyTarget = { kind: "other", type: "file", name: "f" };
const missing: CopyTarget = { kind: "missing", name: "new" };

test("into a directory that is there a copy goes under its own name, and what is in a directory without that", () => {
  assert.deepEqual(plan("/a/s", false, directory, "/d"), { into: "target", name: "s" });
  assert.deepEqual(plan("/a/s", true, directory, "/d/"), { into: "target", name: "s" });
  assert.deepEqual(plan("/a/s/.", true, directory, "/d"), { into: "target", name: "" });
  assert.deepEqual(plan("/", true, directory, "/d"), { into: "target", name: "" });
});

test("what is not there yet gets the name that is given", () => {
  assert.deepEqual(plan("/a/s", false, missing, "/new"), { into: "parent", name: "new" });
  assert.deepEqual(plan("/a/s", true, missing, "/new/"), { into: "parent", name: "new" });
  assert.deepEqual(plan("/a/s/.", true, missing, "/new"), { into: "parent", name: "new" });
  assert.throws(() => plan("/a/s", false, missing, "/new/"), /there is no directory '\/new\/'/);
});

test("a file takes the place of a file, and a directory does not", () => {
  assert.deepEqual(plan("/a/s", false, file, "/f"), { into: "parent", name: "f" });
  assert.throws(() => plan("/a/s", true, file, "/f"), /cannot copy a directory to '\/f', which is a file/);
  assert.throws(() => plan("/a/s", false, file, "/f/"), /'\/f\/' is not a directory/);
});

test("nothing is copied onto a device", () => {
  for (const type of ["character", "block"] as const) {
    assert.throws(() => plan("/a/s", false, { kind: "other", type, name: "null" }, "/null"), /is a device/);
  }
});
