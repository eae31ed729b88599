import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseCpus,
  parseCpuset,
  parseDevice,
  parseDeviceRule,
  parseKeyValue,
  parseMemory,
  parseSeconds,
  parseSize,
  parseWhole,
} from "../../../src/cli/values.ts";
import { Failure } from "../../../src/failure.ts";

const size = (input: string) => parseSize(input, "size");

test("sizes have docker's units, in powers of 1024, in any case", () => {
  assert.equal(size("1048576"), 1048576);
  assert.equal(size("10b"), 10);
  for (const kib of ["1k", "1K", "1kb", "1KB", "1KiB", "1 k"]) assert.equal(size(kib), 1024, kib);
  assert.equal(size("512m"), 512 * 1024 ** 2);
  assert.equal(size("1.5g"), 1.5 * 1024 ** 3);
  assert.equal(size("2t"), 2 * 1024 ** 4);
  assert.equal(size("0"), 0);
  assert.equal(size("0.0m"), 0);
});

test("what is no size is an error that says how one is written", () => {
  for (const bad of [
    "",
    "12q",
    "-1",
    "m",
    "1..5m",
    "1.m",
    ".5m",
    "1mm",
    "1ib",
    "0x10",
    "1e3",
    " 1m",
    "1m ",
    "9".repeat(20),
  ])
    assert.throws(() => size(bad), Failure, bad);
  assert.throws(() => parseSize("12q", "memory size"), {
    message: "bad memory size '12q'",
    hint: "use a number with b, k, m or g, as in 512m",
  });
});

test("a fraction of a byte is not taken for no limit", () => {
  assert.throws(() => size("0.5"), Failure);
  assert.throws(() => size("0.0001k"), Failure);
});

test("a size that would not be exact is refused", () => {
  assert.throws(() => size("9007199254740992"), Failure);
  assert.throws(() => size("16384p"), Failure);
  assert.equal(size("7p"), 7 * 1024 ** 5);
});

test("whatever number of whole units is written, that many bytes it is", () => {
  const units = fc.constantFrom(
    ["", 0],
    ["b", 0],
    ["k", 1],
    ["KiB", 1],
    ["m", 2],
    ["MB", 2],
    ["g", 3],
    ["GiB", 3],
  ) as fc.Arbitrary<[string, number]>;
  fc.assert(
    fc.property(fc.nat(1_000_000), units, (count, [unit, power]) => {
      assert.equal(size(`${count}${unit}`), count * 1024 ** power);
    }),
  );
});

test("whatever the text, a size is a whole number from 0 on or a Failure", () => {
  fc.assert(
    fc.property(fc.string(), (input) => {
      try {
        const bytes = size(input);
        assert.ok(Number.isSafeInteger(bytes) && bytes >= 0);
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    }),
  );
});

test("a memory limit is 6 MB at least, or 0 for none", () => {
  assert.equal(parseMemory("0"), 0);
  assert.equal(parseMemory("6m"), 6 * 1024 ** 2);
  assert.throws(() => parseMemory("6291455"), /memory size '6291455' is too small/);
});

test("cores may be parts of one", () => {
  assert.equal(parseCpus("0.5"), 0.5);
  assert.equal(parseCpus(".5"), 0.5);
  assert.equal(parseCpus("2"), 2);
  assert.equal(parseCpus("0"), 0);
  for (const bad of ["", ".", "-1", "1e3", "0.001", "1,5", "two"]) assert.throws(() => parseCpus(bad), Failure, bad);
});

test("whole numbers have limits", () => {
  assert.equal(parseWhole("-1", "number", -1, 5), -1);
  for (const bad of ["", "6", "-2", "1.5", "0x1", "1e0", "99999999999999999999"])
    assert.throws(() => parseWhole(bad, "number", -1, 5), /bad number '.*'/, bad);
});

test("times are seconds, or have units", () => {
  assert.equal(parseSeconds("10", "time"), 10);
  assert.equal(parseSeconds("1m30s", "time"), 90);
  assert.equal(parseSeconds("1.5h", "time"), 5400);
  assert.equal(parseSeconds("500ms", "time"), 0.5);
  for (const bad of ["-1", "1x", "1m30", "s"]) assert.throws(() => parseSeconds(bad, "time"), Failure, bad);
});

test("lists of cores are numbers and ranges", () => {
  assert.equal(parseCpuset("0-3,7", "list"), "0-3,7");
  for (const bad of ["", "a", "0-", "0,,1", "0-1-2", "-1"]) assert.throws(() => parseCpuset(bad, "list"), Failure, bad);
});

test("a name is followed by its value, or stands alone", () => {
  assert.deepEqual(parseKeyValue("A=B=C", "label"), ["A", "B=C"]);
  assert.deepEqual(parseKeyValue("A=", "label"), ["A", ""]);
  assert.deepEqual(parseKeyValue("A", "label"), ["A", undefined]);
  for (const bad of ["", "=B", "A=\0"]) assert.throws(() => parseKeyValue(bad, "label"), Failure);
});

test("a device is a path, one in the container, and an access", () => {
  const all = { source: "/dev/a", target: "/dev/a", access: "rwm" };
  assert.deepEqual(parseDevice("/dev/a"), all);
  assert.deepEqual(parseDevice("/dev/a:r"), { ...all, access: "r" });
  assert.deepEqual(parseDevice("/dev/a:/dev/b"), { ...all, target: "/dev/b" });
  assert.deepEqual(parseDevice("/dev/a:/dev/b:rw"), { ...all, target: "/dev/b", access: "rw" });
  for (const bad of [
    "",
    "a",
    "/dev/a:",
    "/dev/a:b",
    "/dev/a:rr",
    "/dev/a:r:w",
    "/dev/a:/dev/b:x",
    "/dev/a:/../b",
    "/a:/b:/c:r",
  ])
    assert.throws(() => parseDevice(bad), /bad device/, bad);
});

test("a device rule has a type, two numbers or stars, and an access", () => {
  assert.deepEqual(parseDeviceRule("c 10:200 rw"), { allow: true, type: "c", major: 10, minor: 200, access: "rw" });
  assert.deepEqual(parseDeviceRule("b *:* r"), { allow: true, type: "b", access: "r" });
  for (const bad of ["", "c 10:200", "d 1:1 r", "c 1 r", "c 1:1 rx", "c 1:1 rr", "c -1:1 r"])
    assert.throws(() => parseDeviceRule(bad), /bad device rule/, bad);
});
