import assert from "node:assert/strict";
import { test } from "node:test";
import { entriesOfFile, environmentOf } from "../../../src/cli/environment.ts";
import { Failure } from "../../../src/failure.ts";

const files: Record<string, string> = { one: "A=file\nOWN\nNOT_THERE\n", two: "A=second" };
const context = { environ: ["OWN=mine"], readFile: (path: string) => files[path] ?? "" };

test("files come first, then flags, so that flags win", () => {
  assert.deepEqual(environmentOf(["A=flag"], ["one", "two"], context), ["A=file", "OWN=mine", "A=second", "A=flag"]);
});

test("a name alone is our own variable", () => {
  assert.deepEqual(environmentOf(["OWN"], [], context), ["OWN=mine"]);
});

test("a name alone that we have not stays one, from a flag, and is passed over, from a file", () => {
  assert.deepEqual(environmentOf(["NOT_THERE"], ["one"], context), ["A=file", "OWN=mine", "NOT_THERE"]);
});

test("an entry without a name is refused", () => {
  assert.throws(() => environmentOf(["=x"], [], context), /bad environment variable '=x'/);
  assert.throws(() => environmentOf([""], [], context), Failure);
});

test("a file's lines are entries, comments or empty, and may end as Windows has it", () => {
  const text = "\uFEFFA=1\r\n# comment\n\n  B=2  \n  # another\nC\nD=x y # no comment\nE=";
  assert.deepEqual(entriesOfFile("f", text), ["A=1", "B=2  ", "C", "D=x y # no comment", "E="]);
});

test("a line with a blank in its name is refused, with the file's name", () => {
  for (const bad of ["A B=1", "A ", "=1", "A\tB", "A=\0"])
    assert.throws(() => entriesOfFile("f", bad), /f: bad line/, bad);
});
