import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  decodeMessage,
  encodeMessage,
  type Message,
  messageLength,
  TYPE,
  typesOf,
  type Value,
} from "../../../src/cgroup/dbus.ts";

const CALL: Message = {
  type: TYPE.call,
  serial: 1,
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "Hello",
  signature: "",
  body: [],
};

function send(signature: string, body: readonly Value[]): readonly Value[] {
  return decodeMessage(encodeMessage({ ...CALL, type: TYPE.signal, signature, body })).body;
}

/** A type with values that fit it. */
const typed: fc.Arbitrary<[string, fc.Arbitrary<Value>]> = fc.letrec<{ type: [string, fc.Arbitrary<Value>] }>(
  (tie) => ({
    type: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<[string, fc.Arbitrary<Value>]>(
        ["y", fc.integer({ min: 0, max: 255 })],
        ["u", fc.integer({ min: 0, max: 2 ** 32 - 1 })],
        ["i", fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
        ["b", fc.boolean()],
        ["t", fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
        ["x", fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
        ["s", fc.string({ unit: "grapheme-ascii" })],
      ),
      tie("type").map(([signature, value]): [string, fc.Arbitrary<Value>] => [
        `a${signature}`,
        fc.array(value, { maxLength: 4 }),
      ]),
      fc
        .array(tie("type"), { minLength: 1, maxLength: 3 })
        .map((fields): [string, fc.Arbitrary<Value>] => [
          `(${fields.map(([signature]) => signature).join("")})`,
          fc.tuple(...fields.map(([, value]) => value)),
        ]),
    ),
  }),
).type;

describe("messages of D-Bus", () => {
  test("a call is, byte for byte, what the specification says", () => {
    const bytes = Buffer.from(encodeMessage(CALL)).toString("latin1");
    assert.equal(bytes.length, messageLength(encodeMessage(CALL)));
    assert.equal(bytes.slice(0, 16), "l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x6d\x00\x00\x00");
    assert.equal(bytes.slice(16, 24), "\x01\x01o\x00\x15\x00\x00\x00");
    assert.equal(bytes.slice(24, 46), "/org/freedesktop/DBus\x00");
  });

  test("what is sent is what is received, whatever its types", () => {
    const messages = typed.chain(([signature, value]) => value.map((body) => ({ signature, body })));
    fc.assert(fc.property(messages, ({ signature, body }) => assert.deepEqual(send(signature, [body]), [body])));
  });

  test("variants keep their type", () => {
    const properties: Value = [
      ["MemoryMax", { signature: "t", value: 5n }],
      ["Slice", { signature: "s", value: "a.slice" }],
    ];
    assert.deepEqual(send("a(sv)", [properties]), [properties]);
  });

  test("a signature is taken apart into its complete types", () => {
    assert.deepEqual(typesOf("ssa(sv)a(sa(sv))"), ["s", "s", "a(sv)", "a(sa(sv))"]);
    assert.throws(() => typesOf("z"), /unknown type/);
    assert.throws(() => typesOf("(s"), /unknown type/);
  });

  test("a struct of nothing is refused: an array of it would have no end", () => {
    assert.throws(() => typesOf("a()"), /nothing is in a struct/);
    const whole = encodeMessage({ ...CALL, signature: "a(y)", body: [[[1], [2]]] });
    const at = Buffer.from(whole).indexOf("a(y)");
    whole.set(Buffer.from("a()y"), at);
    assert.throws(() => decodeMessage(whole), /nothing is in a struct/);
  });

  test("a message that is cut, or is none, is refused and never read past its end", () => {
    const whole = encodeMessage({ ...CALL, signature: "as", body: [["one", "two"]] });
    for (let length = 16; length < whole.length; length++) {
      assert.throws(() => decodeMessage(whole.slice(0, length)), /D-Bus/);
    }
    assert.throws(() => messageLength(new Uint8Array(16)), /this is no message/);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 40 }), (noise) => {
        const bytes = whole.slice();
        bytes.set(noise.slice(0, bytes.length - 16), 16);
        try {
          decodeMessage(bytes);
        } catch (error) {
          assert.match(String(error), /D-Bus/);
        }
      }),
    );
  });
});
