import assert from "node:assert/strict";
import { test } from "node:test";
import { decideAttributes } from "../../../src/isolation/bind-attributes.ts";
import { parseMountOptions } from "../../../src/isolation/mount-options.ts";
import { ATTR, MS } from "../../../src/linux/mount.ts";

const ST_RELATIME = 0x1000;
const ALL = ATTR.rdonly | ATTR.nosuid | ATTR.nodev | ATTR.noexec | ATTR.nosymfollow;
const ATIME = ATTR.atimeMask | ATTR.nodiratime;

/** Of a mount whose source has those flags. */
function decide(replaces: "all" | "unlocked", status: number, ...options: string[]) {
  const { set, clear, namesAtime } = parseMountOptions(options, "/x");
  return decideAttributes({ set, clear, namesAtime, replaces }, status);
}

test("a step that replaces nothing changes what it names", () => {
  const asked = { set: ATTR.rdonly, clear: ATTR.nosuid };
  assert.deepEqual(decideAttributes(asked, MS.noexec), { change: asked, refused: 0 });
});

test("attributes that are not named are taken from the mount", () => {
  assert.deepEqual(decide("all", 0, "ro"), { change: { set: ATTR.rdonly, clear: ALL & ~ATTR.rdonly }, refused: 0 });
  assert.deepEqual(decide("all", 0, "dev"), { change: { set: 0, clear: ALL }, refused: 0 });
});

test("the access time stays unless another is named", () => {
  for (const option of ["atime", "nostrictatime", "diratime", "norelatime", "rw"])
    assert.equal((decide("all", 0, option).change.clear ?? 0) & ATIME, 0, option);
  for (const [option, set] of [
    ["noatime", ATTR.noatime],
    ["strictatime", ATTR.strictatime],
    ["relatime", 0],
    ["nodiratime", ATTR.nodiratime],
  ] as const) {
    const { change } = decide("all", 0, option);
    assert.equal(change.set, set, option);
    assert.equal((change.clear ?? 0) & ATIME, ATIME & ~(set & ATTR.nodiratime), option);
  }
});

test("in a user namespace what the kernel locks stays, and taking it back is refused", () => {
  assert.deepEqual(decide("unlocked", MS.rdonly | MS.nosuid | ST_RELATIME, "noexec"), {
    change: { set: ATTR.noexec, clear: ATTR.nosymfollow },
    refused: 0,
  });
  assert.equal(decide("unlocked", MS.rdonly | ST_RELATIME, "rw").refused, ATTR.rdonly);
  assert.equal(decide("unlocked", MS.nosuid | MS.nodev | ST_RELATIME, "dev", "exec").refused, ATTR.nodev);
  assert.equal(decide("unlocked", ST_RELATIME, "rw", "dev", "suid", "exec").refused, 0);
});

test("in a user namespace the access time is the source's", () => {
  for (const [status, ...options] of [
    [ST_RELATIME, "strictatime"],
    [ST_RELATIME, "noatime"],
    [ST_RELATIME, "nodiratime"],
    [0, "relatime"],
    [MS.noatime, "relatime"],
    [ST_RELATIME | MS.nodiratime, "relatime"],
  ] as const) {
    assert.equal(decide("unlocked", status, ...options).refused, ATTR.atimeMask, `${status} ${options}`);
  }
  assert.equal(decide("unlocked", ST_RELATIME, "relatime").refused, 0);
  assert.equal(decide("unlocked", MS.noatime | MS.nodiratime, "noatime", "nodiratime").refused, 0);
  assert.equal(decide("unlocked", MS.noatime, "atime").refused, 0);
});
