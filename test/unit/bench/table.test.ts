import assert from "node:assert/strict";
import { test } from "node:test";
import { figuresOf, linesOf, parseTargets } from "../../../bench/table.ts";

const measured = (command: string, ...times: number[]) => ({ command, times, exit_codes: times.map(() => 0) });

test("a target is a peer, whose name may have blanks, and a factor", () => {
  assert.deepEqual(parseTargets("busybox true 3, crun 0.7"), [
    { peer: "busybox true", factor: 3 },
    { peer: "crun", factor: 0.7 },
  ]);
  assert.deepEqual(parseTargets(""), []);
});

test("figures are those of all rounds", () => {
  const [figure] = figuresOf([[measured("a", 0.001, 0.003)], [measured("a", 0.002)]]);
  assert.deepEqual(figure, { name: "a", meanMs: 2, deviationMs: 1 });
});

test("a command that failed once spoils the table", () => {
  const failing = { command: "crun", times: [0.1, 0.1], exit_codes: [0, 1] };
  assert.throws(() => figuresOf([[failing]]), /crun ended with 1/);
});

test("a row tells ratio and verdict for each peer, and why one is missing", () => {
  const row = {
    title: "exec",
    targets: parseTargets("crun 0.7, floor 1.8"),
    rounds: [[measured("mycontainer", 0.004, 0.004), measured("crun", 0.008, 0.008), measured("floor", 0.002, 0.002)]],
    skipped: ["runc: not installed"],
  };
  assert.deepEqual(linesOf(row), [
    "| exec | mycontainer | 4.00 ± 0.00 |  |  |",
    "|  | crun | 8.00 ± 0.00 | 0.50 × | ≤ 0.7 × reached |",
    "|  | floor | 2.00 ± 0.00 | 2.00 × | ≤ 1.8 × missed |",
    "|  | skipped: runc: not installed | | | |",
  ]);
});

test("without ours there are times and no ratios", () => {
  const row = { title: "t", targets: parseTargets("crun 0.7"), rounds: [[measured("crun", 0.01, 0.01)]], skipped: [] };
  assert.deepEqual(linesOf(row), ["| t | crun | 10.0 ± 0.00 |  |  |"]);
});
