import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCpuList } from "../../../src/isolation/cpu-affinity.ts";
import { maskOfNumbers, parseNumberList } from "../../../src/isolation/number-list.ts";

test("a list names numbers and ranges, each number once and in order", () => {
  assert.deepEqual(parseCpuList("0-3,7"), [0, 1, 2, 3, 7]);
  assert.deepEqual(parseCpuList("9, 2-4,3,2"), [2, 3, 4, 9]);
});

test("empty text names none, and any other one at least", () => {
  assert.deepEqual(parseCpuList(""), []);
  for (const list of [" ", ",", " , "]) assert.throws(() => parseCpuList(list), /names no number/, list);
});

test("commas too many are passed over", () => {
  assert.deepEqual(parseCpuList(",1,,2-3,"), [1, 2, 3]);
});

test("what is no list is refused, and the part that is wrong is named", () => {
  for (const list of ["a", "1,b", "3-1", "1-", "-1", "1-2-3", "0x1", "1 2", "+1", "1.0"]) {
    assert.throws(() => parseCpuList(list), /^Failure: process\.execCPUAffinity: /, list);
  }
  assert.throws(() => parseNumberList("1,x-2", 8, "f"), { message: /^f: 'x-2' is not a number below 8/ });
});

test("numbers end before the limit", () => {
  assert.deepEqual(parseNumberList("7", 8, "f"), [7]);
  assert.throws(() => parseNumberList("8", 8, "f"), /below 8/);
  assert.deepEqual(parseCpuList("8191"), [8191]);
  assert.throws(() => parseCpuList("0-8192"));
  assert.throws(() => parseCpuList("99999999999999999999"));
});

test("any foreign text is parsed or refused, and never named beyond the limit", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("0", "9", "4", ",", "-", " ", "x") }), (text) => {
      try {
        assert.ok(parseNumberList(text, 100, "f").every((number) => number >= 0 && number < 100));
      } catch (error) {
        assert.match(String(error), /^Failure: f: /);
      }
    }),
  );
});

test("a list of single numbers means just these", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat({ max: 8191 })), (numbers) => {
      assert.deepEqual(
        parseCpuList(numbers.join(",")),
        [...numbers].sort((one, other) => one - other),
      );
    }),
  );
});

test("bit n of a mask is number n, in whole words", () => {
  assert.deepEqual([...maskOfNumbers([0, 3, 9])], [9, 2, 0, 0, 0, 0, 0, 0]);
  assert.equal(maskOfNumbers([63]).length, 8);
  assert.equal(maskOfNumbers([64]).length, 16);
  assert.equal(maskOfNumbers([64])[8], 1);
});
