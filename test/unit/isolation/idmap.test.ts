import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { formatIdMap, hostIdOf, parseSubordinateIds, pickIdRange } from "../../../src/isolation/idmap.ts";

const one = { containerID: 0, hostID: 100000, size: 65536 };
const ones = (count: number) => Array.from({ length: count }, (_, i) => ({ containerID: i, hostID: i, size: 1 }));

test("a map is a line for each range", () => {
  assert.equal(formatIdMap([one, { containerID: 65536, hostID: 7, size: 1 }], "m"), "0 100000 65536\n65536 7 1\n");
});

test("an empty map is refused", () => {
  assert.throws(() => formatIdMap([], "uidMappings"), new Failure("uidMappings: no ids are mapped"));
});

test("a map has at most the kernel's 340 lines", () => {
  assert.equal(formatIdMap(ones(340), "m").split("\n").length, 341);
  assert.throws(() => formatIdMap(ones(341), "m"), /341 ranges are more than/);
  assert.throws(() => formatIdMap(ones(100_000), "m"), Failure);
});

test("a map is less than a page", () => {
  const wide = ones(340).map((range) => ({ ...range, hostID: range.hostID + 4_000_000_000 }));
  assert.throws(() => formatIdMap(wide, "m"), /longer than the kernel's limit/);
});

test("all ids there are can be mapped at once", () => {
  assert.equal(formatIdMap([{ containerID: 0, hostID: 0, size: 4294967295 }], "m"), "0 0 4294967295\n");
  assert.throws(() => formatIdMap([{ containerID: 0, hostID: 0, size: 4294967296 }], "m"), Failure);
});

test("ids that are none are refused", () => {
  for (const change of [
    { size: 0 },
    { size: -1 },
    { size: 1.5 },
    { hostID: -1 },
    { containerID: 2 ** 32 },
    { hostID: NaN },
  ]) {
    assert.throws(() => formatIdMap([{ ...one, ...change }], "m"), Failure, JSON.stringify(change));
  }
});

test("the id that means none is not mapped", () => {
  assert.doesNotThrow(() => formatIdMap([{ containerID: 0, hostID: 0, size: 4294967294 }], "m"));
  assert.doesNotThrow(() => formatIdMap([{ containerID: 0, hostID: 4294967294, size: 1 }], "m"));
  assert.throws(() => formatIdMap([{ containerID: 0, hostID: 4294967294, size: 2 }], "m"), /goes past the last id/);
});

test("ranges that overlap on either side are refused", () => {
  const next = { containerID: 65536, hostID: 200000, size: 10 };
  assert.doesNotThrow(() => formatIdMap([next, one], "m"));
  assert.throws(() => formatIdMap([one, { ...next, containerID: 65535 }], "m"), /containerID 65535 is mapped twice/);
  assert.throws(() => formatIdMap([one, { ...next, hostID: 99999 }], "m"), /hostID 100000 is mapped twice/);
});

test("subordinate ids are read, and lines that are none left out", () => {
  const text = "# comment\nann:100000:65536\n\n 0:5:7 \nbob:x:1\nbob:1\nbob:1:2:3\nbob:1:0\nbob:4294967295:1\nbob:-1:5";
  assert.deepEqual(parseSubordinateIds(text), [
    { owner: "ann", first: 100000, size: 65536 },
    { owner: "0", first: 5, size: 7 },
  ]);
});

test("reading subordinate ids never fails", () => {
  fc.assert(fc.property(fc.string(), (text) => void parseSubordinateIds(text)));
});

test("the range of mycontainer comes before the one of root", () => {
  const text = "root:200000:65536\nmycontainer:300000:65536\n";
  assert.deepEqual(pickIdRange(text, text), { hostID: 300000, size: 65536 });
});

test("root's range is found by its number, too", () => {
  assert.equal(pickIdRange("0:200000:70000", "root:200000:65536").hostID, 200000);
});

test("a range is used that uids and gids have in common", () => {
  assert.equal(pickIdRange("root:200000:100000", "root:210000:100000").hostID, 210000);
});

test("ranges that are too small are passed over", () => {
  assert.equal(pickIdRange("root:200000:65535\nroot:300000:65536", "root:1:65535\nroot:300000:65536").hostID, 300000);
});

test("without a range of its own, a container has ids from 100000 on", () => {
  assert.deepEqual(pickIdRange("", ""), { hostID: 100000, size: 65536 });
});

test("ids that belong to others are not used", () => {
  assert.equal(pickIdRange("ann:100000:65536\nbob:165536:65536", "ann:100000:65536").hostID, 231072);
  assert.equal(pickIdRange("", "ann:150000:10").hostID, 150010);
  assert.equal(pickIdRange("ann:5:10\nbob:165536:65536", "").hostID, 100000);
});

test("it is a failure if no ids are left", () => {
  assert.throws(() => pickIdRange("ann:100000:4294867000", ""), Failure);
});

test("chosen ids overlap nobody's", () => {
  const range = fc.record({
    first: fc.integer({ min: 0, max: 1_000_000 }),
    size: fc.integer({ min: 1, max: 200_000 }),
  });
  fc.assert(
    fc.property(fc.array(range), (taken) => {
      const { hostID } = pickIdRange(taken.map(({ first, size }) => `ann:${first}:${size}`).join("\n"), "");
      for (const { first, size } of taken) assert.ok(hostID >= first + size || hostID + 65536 <= first);
    }),
  );
});

test("an id of a container is one of the host, or none", () => {
  const maps = [
    { containerID: 0, hostID: 100000, size: 1000 },
    { containerID: 5000, hostID: 7, size: 1 },
  ];
  assert.deepEqual(
    [0, 999, 1000, 5000, 5001].map((id) => hostIdOf(id, maps)),
    [100000, 100999, undefined, 7, undefined],
  );
});
