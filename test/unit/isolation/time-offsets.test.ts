import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTimeOffsets, type TimeOffsets } from "../../../src/isolation/time-offsets.ts";

test("each clock is a line of seconds and nanoseconds", () => {
  assert.equal(
    formatTimeOffsets({ monotonic: { secs: -5, nanosecs: 7 }, boottime: { secs: 86400 } }),
    "monotonic -5 7\nboottime 86400 0\n",
  );
});

test("no clocks are no text", () => {
  assert.equal(formatTimeOffsets({}), "");
});

test("seconds keep all of their 64 bits and take no more", () => {
  const most = 9223372036854775807n;
  assert.equal(formatTimeOffsets({ boottime: { secs: most } }), `boottime ${most} 0\n`);
  assert.equal(formatTimeOffsets({ boottime: { secs: -most - 1n } }), `boottime ${-most - 1n} 0\n`);
  assert.throws(() => formatTimeOffsets({ boottime: { secs: most + 1n } }), /boottime\.secs: .* out of range/);
});

test("nanoseconds are less than a second and not negative", () => {
  assert.equal(formatTimeOffsets({ monotonic: { nanosecs: 999_999_999 } }), "monotonic 0 999999999\n");
  for (const nanosecs of [-1, 1_000_000_000]) {
    assert.throws(() => formatTimeOffsets({ monotonic: { nanosecs } }), /monotonic\.nanosecs/);
  }
});

test("an unknown clock is refused by name", () => {
  const foreign = { realtime: { secs: 1 } } as TimeOffsets;
  assert.throws(() => formatTimeOffsets(foreign), { message: "linux.timeOffsets: unknown clock 'realtime'" });
});
