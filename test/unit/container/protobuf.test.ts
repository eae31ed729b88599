import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  decodeFields,
  encodeFields,
  type Field,
  messageIn,
  numberIn,
  textIn,
} from "../../../src/container/protobuf.ts";

const hex = (fields: readonly Field[]) => Buffer.from(encodeFields(fields)).toString("hex");

describe("Protocol Buffers", () => {
  test("fields are, byte for byte, what the encoding says", () => {
    assert.equal(hex([[1, 150]]), "089601");
    assert.equal(hex([[2, "testing"]]), "120774657374696e67");
    assert.equal(hex([[3, encodeFields([[1, 150]])]]), "1a03089601");
    assert.equal(hex([[37, true]]), "a80201");
    assert.equal(hex([[1, -2]]), "08feffffffffffffffff01");
  });

  test("a field without a value is left out", () => {
    assert.equal(
      hex([
        [1, undefined],
        [2, false],
      ]),
      "1000",
    );
  });

  test("what is written is what is read", () => {
    const value = fc.oneof(fc.integer(), fc.string({ unit: "grapheme-ascii" }));
    const numbers = fc.integer({ min: 1, max: 500 });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(numbers, value), { selector: ([number]) => number }), (fields) => {
        const read = decodeFields(encodeFields(fields));
        for (const [number, written] of fields) {
          assert.equal(typeof written === "number" ? numberIn(read, number) : textIn(read, number), written);
        }
      }),
    );
  });

  test("messages lie in messages", () => {
    const read = decodeFields(
      encodeFields([
        [
          5,
          encodeFields([
            [1, "post-dump"],
            [2, 7],
          ]),
        ],
      ]),
    );
    const notice = messageIn(read, 5);
    assert.ok(notice !== undefined);
    assert.deepEqual([textIn(notice, 1), numberIn(notice, 2)], ["post-dump", 7]);
    assert.equal(messageIn(read, 6), undefined);
  });

  test("noise is refused, or read without going past its end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
        try {
          decodeFields(noise);
        } catch (error) {
          assert.match(String(error), /criu: an answer/);
        }
      }),
    );
    assert.throws(() => decodeFields(new Uint8Array([0x12, 0x05, 0x61])), /ends too early/);
  });
});
