import assert from "node:assert/strict";
import { test } from "node:test";
import { planMemoryPolicy } from "../../../src/isolation/memory-policy.ts";

test("modes and flags become one number", () => {
  assert.deepEqual(planMemoryPolicy({ mode: "MPOL_BIND", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] }), {
    name: "MPOL_BIND",
    mode: 2 | 0x8000,
    nodes: [0, 1],
  });
  assert.equal(planMemoryPolicy({ mode: "MPOL_WEIGHTED_INTERLEAVE", nodes: "3" }).mode, 6);
  const flags = ["MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING"];
  assert.equal(planMemoryPolicy({ mode: "MPOL_INTERLEAVE", nodes: "0", flags }).mode, 3 | 0x6000);
});

test("unknown modes and flags are refused by name", () => {
  assert.throws(() => planMemoryPolicy({ mode: "MPOL_LUCK" }), {
    message: "linux.memoryPolicy: invalid memory policy mode 'MPOL_LUCK'",
  });
  assert.throws(
    () => planMemoryPolicy({ mode: "MPOL_LOCAL", flags: ["MPOL_F_X"] }),
    /invalid memory policy flag 'MPOL_F_X'/,
  );
});

test("default and local go with no nodes", () => {
  for (const mode of ["MPOL_DEFAULT", "MPOL_LOCAL"]) {
    assert.deepEqual(planMemoryPolicy({ mode }).nodes, []);
    assert.throws(() => planMemoryPolicy({ mode, nodes: "0" }), /requires 0 nodes but got 1/);
  }
});

test("the modes that spread memory need a node", () => {
  for (const mode of ["MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE"]) {
    assert.throws(() => planMemoryPolicy({ mode, nodes: "" }), /needs one at least/);
  }
  assert.deepEqual(planMemoryPolicy({ mode: "MPOL_PREFERRED" }).nodes, []);
});

test("a list of nodes that is none is refused", () => {
  assert.throws(
    () => planMemoryPolicy({ mode: "MPOL_BIND", nodes: "0-" }),
    /linux\.memoryPolicy: invalid memory policy node: '0-'/,
  );
  assert.throws(() => planMemoryPolicy({ mode: "MPOL_BIND", nodes: "1024" }), /below 1024/);
});
