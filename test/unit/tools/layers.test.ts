import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, findCycle, importsOf } from "../../../tools/layers.ts";

test("imports are seen in all their forms, with types, over several lines, and on demand", () => {
  const text = `/**
 * import { no } from "./comment.ts";
 */
import { a } from "./a.ts";
import type { B } from "../linux/b.ts";
import {
  c,
  type D,
} from "./deep/c.ts";
import "./e.ts";
export { f } from "./f.ts";
import { test } from "node:test";
const name = "./no.ts";
const g = await import("./g.ts");
`;
  assert.deepEqual(importsOf("cli/run.ts", text), [
    "cli/a.ts",
    "linux/b.ts",
    "cli/deep/c.ts",
    "cli/e.ts",
    "cli/f.ts",
    "cli/g.ts",
  ]);
});

test("an import downwards or within a folder is right", () => {
  for (const [from, to] of [
    ["cli/run.ts", "container/create.ts"],
    ["container/create.ts", "network/bridge.ts"],
    ["linux/fd.ts", "linux/error.ts"],
    ["network/bridge.ts", "failure.ts"],
    ["main.ts", "cli/run.ts"],
    ["cli/run.ts", "term/table.ts"],
  ] as const) {
    assert.equal(faultOf(from, to), undefined, `${from} -> ${to}`);
  }
});

test("an import upwards, sideways, or of the terminal from below is wrong", () => {
  for (const [from, to] of [
    ["linux/fd.ts", "container/state.ts"],
    ["network/bridge.ts", "cgroup/v2.ts"],
    ["container/run.ts", "term/table.ts"],
    ["container/run.ts", "cli/run.ts"],
    ["cli/run.ts", "oci/create.ts"],
    ["spec/config.ts", "linux/fd.ts"],
    ["elsewhere/a.ts", "linux/fd.ts"],
  ] as const) {
    assert.notEqual(faultOf(from, to), undefined, `${from} -> ${to}`);
  }
});

test("isolation has no paths of the host but in the modules that are listed", () => {
  assert.match(faultOf("isolation/root.ts", "linux/hostpath.ts") ?? "", /rootpath/);
  assert.equal(faultOf("isolation/root.ts", "linux/hostpath.ts", ["isolation/root.ts"]), undefined);
  assert.equal(faultOf("container/state.ts", "linux/hostpath.ts"), undefined);
});

test("a cycle is found and named", () => {
  const graph = new Map([
    ["a", ["b"]],
    ["b", ["c", "d"]],
    ["c", []],
    ["d", ["b"]],
  ]);
  assert.deepEqual(findCycle(graph), ["b", "d", "b"]);
  graph.set("d", []);
  assert.equal(findCycle(graph), undefined);
});
