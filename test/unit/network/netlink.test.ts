import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress, parseSubnet } from "../../../src/network/address.ts";
import { conflictingRoute } from "../../../src/network/host.ts";
import {
  BATCH_LIMIT_BYTES,
  Batch,
  listAttributes,
  type Message,
  NLM,
  parseAnswer,
  parseAttributes,
  parseMessages,
  textOf,
  u32Of,
} from "../../../src/network/netlink.ts";
import { addAddress, addVeth } from "../../../src/network/rtnetlink.ts";

const header = new Uint8Array([1, 2, 3, 4]);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const only = (messages: readonly Message[]) => {
  assert.equal(messages.length, 1);
  const [message] = messages;
  assert.ok(message);
  return message;
};

type Tree = readonly { readonly type: number; readonly value: Uint8Array | Tree }[];

const tree = fc.letrec<{ tree: Tree; node: { type: number; value: Uint8Array | Tree } }>((tie) => ({
  tree: fc.array(tie("node"), { maxLength: 5 }),
  node: fc.record({
    type: fc.integer({ min: 0, max: 0x3fff }),
    value: fc.oneof({ maxDepth: 4 }, fc.uint8Array({ maxLength: 40 }), tie("tree")),
  }),
})).tree;

function write(batch: Batch, nodes: Tree): void {
  for (const { type, value } of nodes) {
    if (value instanceof Uint8Array) batch.bytes(type, value);
    else batch.nest(type, () => write(batch, value));
  }
}

function assertSame(bytes: Uint8Array, nodes: Tree): void {
  const list = listAttributes(bytes);
  assert.equal(list.length, nodes.length);
  nodes.forEach(({ type, value }, index) => {
    const [readType, readValue] = list[index] ?? [-1, new Uint8Array()];
    assert.equal(readType, type);
    if (value instanceof Uint8Array) assert.deepEqual(Uint8Array.from(readValue), value);
    else assertSame(readValue, value);
  });
}

test("attributes that were written are read back, however they are nested", () => {
  fc.assert(
    fc.property(fc.array(tree, { minLength: 1, maxLength: 4 }), (trees) => {
      const batch = new Batch();
      for (const nodes of trees) batch.message({ type: 16, about: "", header }, () => write(batch, nodes));
      const messages = parseMessages(batch.finish(7));
      assert.deepEqual(
        messages.map((message) => message.sequence),
        trees.map((_, index) => 7 + index),
      );
      messages.forEach((message, index) => {
        assertSame(message.payload.subarray(4), trees[index] ?? []);
      });
    }),
  );
});

test("foreign bytes are read or refused by a RangeError, and never past their end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const parse of [parseMessages, parseAttributes]) {
        try {
          parse(bytes);
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }
    }),
  );
});

test("numbers are in the host's order, or in the network's where that is asked for", () => {
  const batch = new Batch();
  batch.message({ type: 1, about: "", header: new Uint8Array() }, () => {
    batch.u8(1, 0xab).u16(2, 0x1234).u32(3, 0x12345678).u64(4, 0x1122334455667788n);
    batch.be32(5, 0x12345678).be64(6, 0x1122334455667788n).string(7, "lo");
  });
  const attributes = parseAttributes(only(parseMessages(batch.finish())).payload);
  assert.deepEqual([...attributes.values()].map(hex), [
    "ab",
    "3412",
    "78563412",
    "8877665544332211",
    "12345678",
    "1122334455667788",
    "6c6f00",
  ]);
  assert.equal(textOf(attributes.get(7)), "lo");
  assert.equal(u32Of(attributes.get(3)), 0x12345678);
  assert.equal(u32Of(attributes.get(1)), undefined);
});

test("a batch and an attribute have limits", () => {
  const message = (body: (batch: Batch) => void) => () => {
    const batch = new Batch();
    batch.message({ type: 1, about: "", header }, () => body(batch));
  };
  assert.throws(
    message((batch) => batch.bytes(1, new Uint8Array(0x10000))),
    RangeError,
  );
  const half = new Uint8Array(0x9000);
  assert.throws(
    message((batch) => batch.nest(1, () => batch.bytes(1, half).bytes(2, half))),
    RangeError,
  );
  const many = Math.ceil(BATCH_LIMIT_BYTES / half.length) + 1;
  assert.throws(
    message((batch) => {
      for (let count = 0; count < many; count++) batch.bytes(1, half);
    }),
    RangeError,
  );
  assert.throws(
    message((batch) => batch.string(1, "a\0b")),
    TypeError,
  );
});

test("an answer carries the errno and the kernel's own words", () => {
  // RTM_NEWLINK of a kind that is unknown, as Linux 6.18 answers it.
  const answer = new Uint8Array(64);
  const view = new DataView(answer.buffer);
  view.setInt32(0, -95, true);
  view.setUint32(4, 32, true);
  view.setUint16(36, 28, true);
  view.setUint16(38, 1, true);
  answer.set(new TextEncoder().encode("Unknown device type"), 40);
  const message = { type: 2, sequence: 1, payload: answer };
  assert.deepEqual(parseAnswer({ ...message, flags: NLM.ackTlvs }), { errno: 95, words: "Unknown device type" });
  assert.deepEqual(parseAnswer({ ...message, flags: 0 }), { errno: 95, words: "" });
  assert.throws(() => parseAnswer({ ...message, flags: 0, payload: answer.subarray(0, 10) }), RangeError);
});

test("an address is added with the bytes that ip sends", () => {
  const batch = new Batch();
  addAddress(batch, 2, parseAddress("172.16.0.1") ?? new Uint8Array(), 24);
  const message = only(parseMessages(batch.finish()));
  assert.equal(message.type, 20);
  assert.equal(message.flags, NLM.request | NLM.create | NLM.excl);
  assert.equal(hex(message.payload), "021800000200000008000200ac10000108000100ac10000108000400ac1000ff");
});

test("a veth pair is one message: this end up and in the bridge, the other in its namespace", () => {
  const batch = new Batch();
  const mac = new Uint8Array([2, 0x42, 172, 16, 0, 2]);
  addVeth(batch, {
    name: "veth0-c4a2f1",
    master: 7,
    mtu: 1500,
    peer: { name: "veth1-c4a2f1", netns: { pid: 99 }, mac },
  });
  const { payload } = only(parseMessages(batch.finish()));
  assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(8, true), 1);
  const host = parseAttributes(payload, 16);
  assert.equal(textOf(host.get(3)), "veth0-c4a2f1");
  assert.equal(u32Of(host.get(10)), 7);
  const info = parseAttributes(host.get(18) ?? new Uint8Array());
  assert.equal(textOf(info.get(1)), "veth");
  const peer = parseAttributes(parseAttributes(info.get(2) ?? new Uint8Array()).get(1) ?? new Uint8Array(), 16);
  assert.equal(textOf(peer.get(3)), "veth1-c4a2f1");
  assert.equal(u32Of(peer.get(19)), 99);
  assert.equal(hex(peer.get(1) ?? new Uint8Array()), "0242ac100002");
});

test("a subnet is taken if a route of another link overlaps it", () => {
  const subnet = (text: string) => parseSubnet(text) ?? { base: new Uint8Array(), prefix: 0 };
  const routes = [
    { to: subnet("10.0.0.0/8"), index: 2 },
    { to: subnet("172.16.0.0/24"), index: 3 },
  ];
  assert.equal(conflictingRoute(subnet("172.16.0.0/24"), routes)?.index, 3);
  assert.equal(conflictingRoute(subnet("172.16.0.0/24"), routes, 3), undefined);
  assert.equal(conflictingRoute(subnet("10.5.0.0/16"), routes)?.index, 2);
  assert.equal(conflictingRoute(subnet("192.168.0.0/16"), routes), undefined);
});
