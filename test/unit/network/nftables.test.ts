import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseAddress, parseSubnet } from "../../../src/network/address.ts";
import { Batch, NLM, parseMessages } from "../../../src/network/netlink.ts";
import { type Forwarding, forwardingElement, writeTable } from "../../../src/network/nftables.ts";

const address = (text: string) => parseAddress(text) ?? new Uint8Array();
const subnet = parseSubnet("172.16.0.0/24");
assert.ok(subnet);
const network = { bridge: "mycontainer0", subnet };
const web: Forwarding = {
  hostAddress: address("0.0.0.0"),
  hostPort: 8080,
  protocol: "tcp",
  address: address("172.16.0.2"),
  port: 80,
};

function written(replace: boolean) {
  const batch = new Batch();
  writeTable(batch, [network], [web], replace);
  return parseMessages(batch.finish(1));
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const NAMES: Readonly<Record<number, string>> = { 2563: "NEWCHAIN", 2566: "NEWRULE", 2572: "NEWSETELEM" };

// golden/nft-messages.txt is what nft 1.0.6 sends for golden/table.nft, without the numbers that it gives to sets within
// a transaction (the sets are found by name as well).
test("chains, rules and elements are byte for byte those that nft sends", () => {
  const golden = readFileSync(new URL("./golden/nft-messages.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");
  const ours = written(false)
    .filter((message) => message.type in NAMES)
    .map((message) => `${NAMES[message.type]} ${hex(message.payload)}`);
  const kind = (lines: readonly string[], name: string) => lines.filter((line) => line.startsWith(`${name} `));
  assert.deepEqual(kind(ours, "NEWCHAIN"), kind(golden, "NEWCHAIN"));
  assert.deepEqual(kind(ours, "NEWRULE"), kind(golden, "NEWRULE"));
  for (const line of kind(golden, "NEWSETELEM")) assert.ok(ours.includes(line), line);
});

test("the table is made in one transaction whose last change is confirmed", () => {
  const messages = written(false);
  assert.equal(messages.at(0)?.type, 16);
  assert.equal(messages.at(-1)?.type, 17);
  const confirmed = messages.filter((message) => (message.flags & NLM.ack) !== 0);
  assert.deepEqual(confirmed, [messages.at(-2)]);
});

test("a table that is there already is refused, or replaced in the same transaction", () => {
  const [, create] = written(false);
  assert.equal((create?.flags ?? 0) & NLM.excl, NLM.excl);
  assert.deepEqual(
    written(true)
      .slice(1, 4)
      .map((message) => message.type & 0xff),
    [0, 2, 0],
  );
});

test("a port of all addresses is looked up by protocol and port, one of an address by all three", () => {
  const all = forwardingElement(web);
  assert.equal(all.set, "published");
  assert.equal(hex(all.element.key), "060000001f900000");
  assert.equal(hex(all.element.data ?? new Uint8Array()), "ac10000200500000");
  const one = forwardingElement({ ...web, hostAddress: address("127.0.0.1"), protocol: "udp" });
  assert.equal(one.set, "published-at");
  assert.equal(hex(one.element.key), "7f000001110000001f900000");
});
