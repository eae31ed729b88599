import assert from "node:assert/strict";
import { test } from "node:test";
import { countTap, sumUp } from "../../../tools/tally.ts";

const NODE_TAP = `TAP version 13
# Subtest: a suite
    # Subtest: one
    ok 1 - one
    # Subtest: two
    not ok 2 - two
    1..2
not ok 1 - a suite
1..1
# tests 2
# suites 1
# pass 1
# fail 1
# cancelled 0
# skipped 0
# todo 0
# duration_ms 5.1
`;

test("node's closing lines count, not the lines of its suites", () => {
  const { passed, failed, failures } = countTap(NODE_TAP);
  assert.deepEqual({ passed, failed }, { passed: 1, failed: 1 });
  assert.deepEqual(failures, ["two", "a suite"]);
});

test("a cancelled test of node's is a failed one", () => {
  assert.equal(countTap("# tests 2\n# pass 1\n# fail 0\n# cancelled 1\n").failed, 1);
});

test("plain TAP is counted by its lines", () => {
  const { passed, failed, skipped } = countTap(
    "1..4\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no swap here\nok 4 - d\n",
  );
  assert.deepEqual({ passed, failed, skipped }, { passed: 2, failed: 1, skipped: 1 });
});

test("plain TAP with fewer results than its plan has failed", () => {
  assert.deepEqual(countTap("1..3\nok 1 - a\n"), {
    passed: 1,
    failed: 2,
    skipped: 0,
    failures: ["2 of 3 results are missing"],
  });
});

test("plain TAP without a plan was cut short and has failed", () => {
  assert.equal(countTap("ok 1 - a\n").failed, 1);
  assert.equal(countTap("").failed, 1);
});

test("the closing line is the sum of all", () => {
  const { lines, status } = sumUp([countTap(NODE_TAP), countTap("1..1\nok 1 - a\n")]);
  assert.equal(lines.at(-1), "2 passed, 1 failed");
  assert.equal(status, 1);
});

test("no test at all is a failure", () => {
  assert.equal(sumUp([countTap("# tests 0\n# pass 0\n")]).status, 1);
});

test("what passed is a success", () => {
  assert.deepEqual(sumUp([countTap("1..1\nok 1 - a\n")]), { lines: ["1 passed, 0 failed"], status: 0 });
});
