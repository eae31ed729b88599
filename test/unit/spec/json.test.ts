import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExact, stringifyExact } from "../../../src/spec/json.ts";

test("long integers are exact; long fractions and exponents are numbers as in JSON.parse", () => {
  assert.deepEqual(parseExact("[18446744073709551615,-9007199254740993,9007199254740991]"), [
    2n ** 64n - 1n,
    -(2n ** 53n) - 1n,
    Number.MAX_SAFE_INTEGER,
  ]);
  assert.deepEqual(
    parseExact("[0.12345678901234567890,1e00000000000000000001,-12345678901234567890.5]"),
    [0.12345678901234568, 10, -12345678901234567000],
  );
  assert.equal(stringifyExact({ a: 2n ** 64n - 1n, b: '"1"' }), '{"a":18446744073709551615,"b":"\\"1\\""}');
});
