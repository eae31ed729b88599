import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf } from "../../../src/image/sha256.ts";

const expected = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

test("digests are SHA-256, for every length around the size of a block", () => {
  for (let length = 0; length < 200; length++) assert.equal(digestOf("x".repeat(length)), expected("x".repeat(length)));
});

test("digests are those of the text in UTF-8", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) =>
      assert.equal(digestOf(text), expected(text)),
    ),
  );
});
