import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { clampTo, parseUlimit, UNLIMITED } from "../../../src/isolation/rlimits.ts";
import { checkRlimits, rlimitNumber } from "../../../src/spec/rlimits.ts";

test("limits have the kernel's numbers", () => {
  assert.equal(rlimitNumber("RLIMIT_CPU"), 0);
  assert.equal(rlimitNumber("RLIMIT_NOFILE"), 7);
  assert.equal(rlimitNumber("RLIMIT_RTTIME"), 15);
  assert.equal(rlimitNumber("NOFILE"), undefined);
  assert.equal(rlimitNumber("RLIMIT_toString"), undefined);
});

test("one value is the soft and the hard limit", () => {
  assert.deepEqual(parseUlimit("nofile=1024"), { type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 });
});

test("two values are the soft and the hard limit", () => {
  assert.deepEqual(parseUlimit("NProc=10:20"), { type: "RLIMIT_NPROC", soft: 10, hard: 20 });
});

test("-1 and unlimited mean none", () => {
  assert.deepEqual(parseUlimit("core=-1"), { type: "RLIMIT_CORE", soft: UNLIMITED, hard: UNLIMITED });
  assert.deepEqual(parseUlimit("core=0:unlimited"), { type: "RLIMIT_CORE", soft: 0, hard: UNLIMITED });
});

test("values that are not safe as numbers are BigInts", () => {
  assert.equal(parseUlimit("fsize=9007199254740991").soft, 9007199254740991);
  assert.equal(parseUlimit("fsize=9007199254740993").soft, 9007199254740993n);
});

test("what is no limit is a failure", () => {
  const wrong = ["", "=", "nofile", "=1", "nofile=", "nofile=1:", "nofile=:1", "nofile=1:2:3", "files=1", "nofile=-2"];
  for (const text of [
    ...wrong,
    "nofile=1e3",
    "nofile=0x10",
    "nofile=1.5",
    "nofile=18446744073709551616",
    "nofile= 1",
  ]) {
    assert.throws(() => parseUlimit(text), Failure, text);
  }
});

test("a soft limit above the hard one is a failure", () => {
  assert.throws(() => parseUlimit("nofile=2:1"), Failure);
  assert.throws(() => parseUlimit("nofile=unlimited:1"), Failure);
});

test("what is written as a ulimit is read as it was", () => {
  const value = fc.bigInt({ min: 0n, max: UNLIMITED });
  fc.assert(
    fc.property(value, value, (a, b) => {
      const [soft, hard] = a < b ? [a, b] : [b, a];
      const parsed = parseUlimit(`stack=${soft}:${hard}`);
      assert.deepEqual([BigInt(parsed.soft), BigInt(parsed.hard)], [soft, hard]);
    }),
  );
});

test("limits of a configuration are unique, known, and soft at most hard", () => {
  const nofile = { type: "RLIMIT_NOFILE", soft: 1, hard: 2 };
  assert.doesNotThrow(() => checkRlimits([nofile, { type: "RLIMIT_CORE", soft: -1, hard: -1 }]));
  assert.throws(
    () => checkRlimits([nofile, nofile]),
    new Failure("process.rlimits[1]: type 'RLIMIT_NOFILE' is named twice"),
  );
  assert.throws(() => checkRlimits([{ type: "NOFILE", soft: 1, hard: 2 }]), Failure);
  assert.throws(() => checkRlimits([{ type: "RLIMIT_NOFILE", soft: -1, hard: 2 }]), Failure);
});

test("clamped limits are as asked for up to the hard limit", () => {
  assert.deepEqual(clampTo(100n, 50n, 200n), { soft: 50n, hard: 100n });
  assert.deepEqual(clampTo(100n, 150n, UNLIMITED), { soft: 100n, hard: 100n });
  assert.deepEqual(clampTo(100n, 10n, 20n), { soft: 10n, hard: 20n });
});
