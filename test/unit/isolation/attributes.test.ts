import assert from "node:assert/strict";
import { test } from "node:test";
import { remountFlags } from "../../../src/isolation/attributes.ts";
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
