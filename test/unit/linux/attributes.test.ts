import assert from "node:assert/strict";
import { test } from "node:test";
import { mountsBelow, remountFlags } from "../../../src/linux/attributes.ts";
import { ATTR, MS } from "../../../src/linux/mount.ts";

/** Bits of statfs(2): ST_RELATIME, ST_NOSYMFOLLOW. */
const [ST_RELATIME, ST_NOSYMFOLLOW] = [0x1000, 0x2000];

test("a remount names again what the mount has", () => {
  const status = MS.nosuid | MS.nodev | MS.nodiratime | ST_RELATIME | ST_NOSYMFOLLOW;
  const kept = MS.nosuid | MS.nodev | MS.nodiratime | MS.relatime | MS.nosymfollow;
  assert.equal(remountFlags(status, { set: ATTR.rdonly }), kept | MS.rdonly);
});

test("what is cleared is named no more", () => {
  const status = MS.rdonly | MS.nosuid | ST_RELATIME;
  assert.equal(remountFlags(status, { clear: ATTR.rdonly }), MS.nosuid | MS.relatime);
});

test("an access time stays, also a strict one, until another is set", () => {
  assert.equal(remountFlags(MS.noatime, { set: ATTR.rdonly }), MS.noatime | MS.rdonly);
  assert.equal(remountFlags(0, { set: ATTR.rdonly }), MS.strictatime | MS.rdonly);
  assert.equal(remountFlags(ST_RELATIME, { set: ATTR.noatime, clear: ATTR.atimeMask }), MS.noatime);
  assert.equal(remountFlags(MS.noatime, { clear: ATTR.atimeMask }), MS.relatime);
});

test("mounts below a mount are found by who is mounted on whom, not by their paths", () => {
  const table = [
    "20 1 8:1 / / rw,relatime - ext4 /dev/a rw",
    "31 20 0:5 / /data rw - tmpfs x rw",
    "32 31 0:6 / /data/one\\040two rw,nosuid shared:4 - tmpfs y rw",
    "33 32 0:7 / /data/one\\040two/in rw - tmpfs z rw",
    "34 20 0:8 / /data-other rw - tmpfs w rw",
    "35 31 0:9 / /data rw - tmpfs covers rw",
  ];
  const text = `${table.join("\n")}\n`;
  assert.deepEqual(mountsBelow(text, 31), [
    { id: 32, path: "one two" },
    { id: 33, path: "one two/in" },
    { id: 35, path: "" },
  ]);
  assert.deepEqual(mountsBelow(text, 34), []);
  assert.deepEqual(
    mountsBelow(text, 20).map(({ path }) => path),
    ["data", "data/one two", "data/one two/in", "data", "data-other"],
  );
  assert.deepEqual(mountsBelow(text, 99), []);
});
