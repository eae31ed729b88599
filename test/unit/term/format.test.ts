import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  formatAge,
  formatCores,
  formatDuration,
  formatMebibytes,
  formatSize,
  formatUptime,
} from "../../../src/term/format.ts";

const MIB = 1024 ** 2;

test("memory limits are in MB, and from 1024 of them on in GB", () => {
  assert.equal(formatMebibytes(512 * MIB), "512 MB");
  assert.equal(formatMebibytes(6.5 * MIB), "6.5 MB");
  assert.equal(formatMebibytes(1536 * MIB), "1.5 GB");
});

test("less than a core is a part of one", () => {
  assert.equal(formatCores(0.5), "50% of 1 core");
  assert.equal(formatCores(0.125), "12.5% of 1 core");
  assert.equal(formatCores(1), "1 core");
  assert.equal(formatCores(2), "2 cores");
  assert.equal(formatCores(1.5), "1.5 cores");
});

test("starts are in milliseconds, and from a second on in seconds", () => {
  assert.equal(formatDuration(3.94), "3.9 ms");
  assert.equal(formatDuration(9.96), "10 ms");
  assert.equal(formatDuration(41.4), "41 ms");
  assert.equal(formatDuration(999.6), "1.0s");
  assert.equal(formatDuration(1234), "1.2s");
});

test("uptimes have the two largest units that there are", () => {
  assert.equal(formatUptime(41), "41 ms");
  assert.equal(formatUptime(1200), "1.2s");
  assert.equal(formatUptime(9970), "10s");
  assert.equal(formatUptime(14_900), "14s");
  assert.equal(formatUptime(134_000), "2m 14s");
  assert.equal(formatUptime(3 * 3_600_000 + 120_000), "3h 2m");
  assert.equal(formatUptime(5 * 86_400_000 + 3 * 3_600_000), "5d 3h");
});

test("sizes have three digits at most", () => {
  assert.equal(formatSize(0, 1000), "0B");
  assert.equal(formatSize(850, 1000), "850B");
  assert.equal(formatSize(1234, 1000), "1.2KB");
  assert.equal(formatSize(999_999, 1000), "1MB");
  assert.equal(formatSize(145 * MIB, 1024), "145MB");
  assert.equal(formatSize(512 * MIB, 1024), "512MB");
  assert.equal(formatSize(99.96 * MIB, 1024), "100MB");
});

test("a size is never written with a number that is as large as the next unit", () => {
  fc.assert(
    fc.property(fc.nat(Number.MAX_SAFE_INTEGER), fc.constantFrom(1000 as const, 1024 as const), (bytes, base) => {
      assert.ok(Number.parseFloat(formatSize(bytes, base)) < base);
      assert.match(formatSize(bytes, base), /^\d{1,4}(\.\d)?[KMGTP]?B$/);
    }),
  );
});

test("ages are whole numbers of one unit", () => {
  assert.equal(formatAge(0), "0 seconds");
  assert.equal(formatAge(1000), "1 second");
  assert.equal(formatAge(3 * 60_000), "3 minutes");
  assert.equal(formatAge(-5), "0 seconds");
  assert.equal(formatAge(15 * 86_400_000), "2 weeks");
});
