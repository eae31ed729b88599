import assert from "node:assert/strict";
import { test } from "node:test";
import { tableLines } from "../../../src/term/table.ts";

test("columns are as wide as their widest cell, and no line ends in blanks", () => {
  assert.deepEqual(
    tableLines([
      ["NAME", "SIZE", "NOTE"],
      ["longer", "1", ""],
    ]),
    ["NAME     SIZE   NOTE", "longer   1"],
  );
});

test("a table without rows has no lines", () => {
  assert.deepEqual(tableLines([]), []);
});
