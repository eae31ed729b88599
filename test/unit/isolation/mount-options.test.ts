import assert from "node:assert/strict";
import { test } from "node:test";
import { attributeNames, parseMountOptions, splitData } from "../../../src/isolation/mount-options.ts";
import { ATTR, MS } from "../../../src/linux/mount.ts";

const parse = (...options: string[]) => parseMountOptions(options, "/x");

test("the later of two opposite options wins", () => {
  const { set, clear } = parse("ro", "nosuid", "rw");
  assert.equal(set, ATTR.nosuid);
  assert.equal(clear, ATTR.rdonly);
});

test("an access time is set in a field that is cleared as a whole", () => {
  for (const [name, value] of [
    ["noatime", ATTR.noatime],
    ["strictatime", ATTR.strictatime],
    ["relatime", 0],
    ["atime", 0],
    ["nostrictatime", 0],
  ] as const) {
    assert.deepEqual([parse(name).set, parse(name).clear], [value, ATTR.atimeMask], name);
    assert.deepEqual([parse(`r${name}`).recursiveSet, parse(`r${name}`).recursiveClear], [value, ATTR.atimeMask], name);
  }
});

test("only one access time is left of several", () => {
  assert.equal(parse("noatime", "strictatime").set, ATTR.strictatime);
  assert.equal(parse("strictatime", "noatime").set, ATTR.noatime);
  assert.equal(parse("noatime", "relatime").set, 0);
  assert.equal(parse("strictatime", "atime").set, ATTR.strictatime);
});

test("nodiratime is no access time", () => {
  assert.deepEqual([parse("nodiratime").set, parse("nodiratime").clear], [ATTR.nodiratime, 0]);
});

test("recursive options change what is mounted below", () => {
  const options = parse("rro", "rnosuid", "rexec", "rnosymfollow");
  assert.equal(options.set, 0);
  assert.equal(options.recursiveSet, ATTR.rdonly | ATTR.nosuid | ATTR.nosymfollow);
  assert.equal(options.recursiveClear, ATTR.noexec);
});

test("propagation is of one mount, or with r of all below", () => {
  for (const [name, value] of Object.entries({
    private: MS.private,
    shared: MS.shared,
    slave: MS.slave,
    unbindable: MS.unbindable,
  })) {
    assert.deepEqual([parse(name).propagation, parse(name).propagationRecursive], [value, false]);
    assert.deepEqual([parse(`r${name}`).propagation, parse(`r${name}`).propagationRecursive], [value, true]);
  }
});

test("flags of a file system are not its data", () => {
  assert.deepEqual(parse("sync", "dirsync", "lazytime", "mand").superblock, ["sync", "dirsync", "lazytime", "mand"]);
  assert.deepEqual(parse("sync", "async").superblock, ["async"]);
  assert.deepEqual(parse("sync", "lazytime").data, []);
});

test("every option of the specification is known", () => {
  const names =
    "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec " +
    "noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime " +
    "relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro " +
    "rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave " +
    "strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap acl noacl";
  for (const name of names.split(" ")) assert.deepEqual(parse("bind", name).data, [], name);
});

test("remount alone is refused and not passed over", () => {
  assert.throws(() => parse("remount", "ro"), /'remount'/);
});

test("what is not known is the file system's, one option a comma", () => {
  assert.deepEqual(parse("size=64m,mode=1777", "nr_inodes=10").data, ["size=64m", "mode=1777", "nr_inodes=10"]);
  assert.deepEqual(parse("constructor").data, ["constructor"]);
});

test("a comma in quotes or after a backslash parts nothing", () => {
  assert.deepEqual(splitData('context="u:r:t:s0:c1,c2",size=1'), ['context="u:r:t:s0:c1,c2"', "size=1"]);
  assert.deepEqual(splitData("lowerdir=/a\\,b:/c,upperdir=/u"), ["lowerdir=/a\\,b:/c", "upperdir=/u"]);
});

test("options of links and ids are told apart from data", () => {
  const options = parse("bind", "ridmap", "copy-symlink", "dest-nofollow");
  assert.deepEqual([options.idmap, options.sourceLink, options.targetLink], ["recursive", "copy", "mount"]);
  assert.equal(parse("tmpcopyup").copyUp, true);
});

test("attributes have the names that set them", () => {
  assert.deepEqual(attributeNames(ATTR.rdonly | ATTR.noatime | ATTR.nosymfollow), ["ro", "noatime", "nosymfollow"]);
});
