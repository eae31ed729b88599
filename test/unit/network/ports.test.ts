import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { PORTS_LIMIT, parsePublish, parsePublished } from "../../../src/network/ports.ts";

const one = (hostAddress: string, first: number, last: number, containerPort: number, protocol = "tcp") => ({
  hostAddress,
  hostPorts: { first, last },
  containerPort,
  protocol,
});

test("a host port leads to a container port", () => {
  assert.deepEqual(parsePublish("8080:80"), [one("0.0.0.0", 8080, 8080, 80)]);
});

test("an address, a protocol, both", () => {
  assert.deepEqual(parsePublish("127.0.0.1:8080:80"), [one("127.0.0.1", 8080, 8080, 80)]);
  assert.deepEqual(parsePublish("5353:53/udp"), [one("0.0.0.0", 5353, 5353, 53, "udp")]);
  assert.deepEqual(parsePublish("127.0.0.1:5353:53/UDP"), [one("127.0.0.1", 5353, 5353, 53, "udp")]);
});

test("without a host port any that is free is taken", () => {
  for (const text of ["80", ":80", "0:80"]) assert.deepEqual(parsePublish(text), [one("0.0.0.0", 0, 0, 80)], text);
  assert.deepEqual(parsePublish("127.0.0.1::80"), [one("127.0.0.1", 0, 0, 80)]);
});

test("ranges of equal length lead port by port", () => {
  assert.deepEqual(parsePublish("8000-8001:80-81"), [one("0.0.0.0", 8000, 8000, 80), one("0.0.0.0", 8001, 8001, 81)]);
  assert.deepEqual(parsePublish("80-81"), [one("0.0.0.0", 0, 0, 80), one("0.0.0.0", 0, 0, 81)]);
});

test("a range on the host for one port of the container means any of the range", () => {
  assert.deepEqual(parsePublish("8000-8010:80"), [one("0.0.0.0", 8000, 8010, 80)]);
});

test("what is no port mapping is refused with what to write", () => {
  const bad = ["", ":", "a", "80:", "80:0", "65536", "8080:65536", "-1:80", "90-80:80", "8000-8002:80-81", "80/icmp"];
  const worse = ["1.2.3:80:80", "x:80:80", "1:2:3:4:5", "[::1:80:80", "[::1]:80:80", "80/tcp/udp", " 80", "1-2-3:80"];
  for (const text of [...bad, ...worse]) {
    assert.throws(
      () => parsePublish(text),
      (error) => error instanceof Failure && error.message.startsWith("--publish "),
      text,
    );
  }
});

test("more ports than the limit are refused", () => {
  assert.throws(() => parsePublish("1-65535:1-65535"), Failure);
  assert.throws(() => parsePublished([`1-${PORTS_LIMIT}`, "1000"]), Failure);
});

test("any text is parsed or refused by a Failure", () => {
  const pieces = fc.array(fc.constantFrom("80", "0", "-", ":", "/", "tcp", "[", "]", "1.2.3.4", "::", "x"));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        pieces.map((list) => list.join("")),
      ),
      (text) => {
        try {
          parsePublish(text);
        } catch (error) {
          assert.ok(error instanceof Failure, `${error}`);
        }
      },
    ),
  );
});
