import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addressAt,
  broadcastOf,
  contains,
  formatAddress,
  formatSubnet,
  offsetOf,
  overlaps,
  parseAddress,
  parseSubnet,
  sizeOf,
  subnetOf,
} from "../../../src/network/address.ts";

const subnet = (text: string) => {
  const parsed = parseSubnet(text);
  assert.ok(parsed, text);
  return parsed;
};
const address = (text: string) => {
  const parsed = parseAddress(text);
  assert.ok(parsed, text);
  return parsed;
};

test("what is formatted is parsed back", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    // Many zeros, where the short form has its cases.
    fc.array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 }).map((list) => Uint8Array.from(list)),
  );
  fc.assert(fc.property(bytes, (given) => assert.deepEqual(parseAddress(formatAddress(given)), given)));
});

test("IPv6 addresses are written in their short form", () => {
  for (const [long, short] of [
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["fd00:0:0:1:0:0:0:2", "fd00:0:0:1::2"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["::ffff:10.0.0.1", "::ffff:a00:1"],
  ] as const) {
    assert.equal(formatAddress(address(long)), short);
  }
});

test("what is no address is not taken for one", () => {
  const bad = ["", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", "1.2.3.4 ", "0x1.2.3.4", ":", ":::"];
  const worse = ["1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345", "1.2.3.4::", "g::", "::1%eth0", "::1.2.3"];
  for (const text of [...bad, ...worse]) assert.equal(parseAddress(text), undefined, text);
});

test("any text is parsed without an error", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseAddress(text);
      parseSubnet(text);
    }),
  );
});

test("a subnet with host bits or an impossible prefix is none", () => {
  for (const text of ["10.0.0.1/24", "10.0.0.0/33", "10.0.0.0", "10.0.0.0/", "10.0.0.0/024", "fd00::/129"]) {
    assert.equal(parseSubnet(text), undefined, text);
  }
  assert.equal(formatSubnet(subnet("10.0.0.0/24")), "10.0.0.0/24");
});

test("addresses are counted from the subnet's first", () => {
  const wide = subnet("10.1.0.0/16");
  assert.equal(formatAddress(addressAt(wide, 258)), "10.1.1.2");
  assert.equal(offsetOf(wide, address("10.1.1.2")), 258);
  assert.equal(sizeOf(wide), 65536);
  assert.equal(formatAddress(broadcastOf(wide)), "10.1.255.255");
});

test("subnets overlap if one lies in the other", () => {
  const ours = subnet("172.16.0.0/24");
  assert.equal(overlaps(ours, subnet("172.16.0.0/12")), true);
  assert.equal(overlaps(ours, subnet("172.16.0.128/25")), true);
  assert.equal(overlaps(ours, subnet("172.16.1.0/24")), false);
  assert.equal(overlaps(ours, subnet("::/0")), false);
});

test("an address lies in the subnet that is made from it", () => {
  const four = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(four, fc.integer({ min: 0, max: 32 }), (given, prefix) => contains(subnetOf(given, prefix), given)),
  );
});
