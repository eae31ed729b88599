import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { resolveUser } from "../../../src/isolation/users.ts";

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
+nis:x:0:0::/:
daemon:x:1:1:daemon:/usr/sbin:/bin/false

app:x:1000:2000:An App:/home/app:/bin/sh
1234:x:0:0:digits:/root:/bin/sh
bad:x::0::/:
worse:x:4294967295:0::/:
neg:x:-1:0::/:
nogid:x:7::nothing:/:
short:x:50:51
relative:x:60:60::home:
`;
const group = `root:x:0:
wheel:x:10:root,app
audio:x:29:appx,xapp
video:x:44:daemon,app
broken:x:y:app
app:x:2000:
5:x:0:
`;
const accounts = { passwd, group };
const empty = { passwd: "", group: "" };
const resolve = (spec: string, groupAdd: string[] = []) => resolveUser(spec, groupAdd, accounts);

test("a name has the ids, groups and home of the files", () => {
  assert.deepEqual(resolve("app"), { uid: 1000, gid: 2000, additionalGids: [2000, 10, 44], home: "/home/app" });
});

test("a number has the groups and home of the user with that id", () => {
  assert.deepEqual(resolve("1000"), resolve("app"));
});

test("no user is root with root's groups", () => {
  assert.deepEqual(resolve(""), { uid: 0, gid: 0, additionalGids: [0, 10], home: "/root" });
  assert.deepEqual(resolveUser("", [], empty), { uid: 0, gid: 0, additionalGids: [0], home: "/" });
});

test("a number need not be in the files", () => {
  assert.deepEqual(resolve("4321"), { uid: 4321, gid: 0, additionalGids: [0], home: "/" });
  assert.deepEqual(resolveUser("5:6", [], empty), { uid: 5, gid: 6, additionalGids: [6], home: "/" });
});

test("digits are a number, also with zeros before them, and where a name is the same digits", () => {
  assert.equal(resolve("01").uid, 1);
  assert.equal(resolve("1234").uid, 1234);
  assert.equal(resolve("1:5").gid, 5);
});

test("what is no user is a failure, and never root", () => {
  for (const spec of [
    "+1",
    "-1",
    "0x0",
    "1e3",
    " ",
    " 0",
    "0 ",
    "1.0",
    "nobody",
    "toString",
    "#",
    "+nis",
    "root\0",
    "ROOT",
  ]) {
    assert.throws(() => resolve(spec), Failure, spec);
  }
});

test("half of a user and a group is a failure", () => {
  for (const spec of [":", "1:", ":1", "app:", "1:1:1", "::"]) assert.throws(() => resolve(spec), Failure, spec);
});

test("ids out of range are a failure, among them the one that means none", () => {
  for (const id of ["4294967295", "4294967296", "18446744073709551616", "9".repeat(400)]) {
    assert.throws(() => resolve(id), /out of range/, id);
    assert.throws(() => resolve(`1:${id}`), /out of range/, id);
  }
  assert.equal(resolve("4294967294").uid, 4294967294);
});

test("an entry without valid ids is a failure, and not taken for root", () => {
  for (const spec of ["bad", "worse", "neg", "nogid", "7"]) assert.throws(() => resolve(spec), /no valid ids/, spec);
});

test("an entry may end early, and a home that is none is /", () => {
  assert.deepEqual(resolve("short"), { uid: 50, gid: 51, additionalGids: [51], home: "/" });
  assert.equal(resolve("relative").home, "/");
});

test("a group that is given replaces those of the files", () => {
  assert.deepEqual(resolve("app:video"), { uid: 1000, gid: 44, additionalGids: [44], home: "/home/app" });
  assert.equal(resolve("app:12").gid, 12);
});

test("a group that is not in the file is a failure", () => {
  assert.throws(() => resolve("app:nogroup"), { message: "there is no group 'nogroup' in the image's /etc/group" });
  assert.throws(() => resolve("app:-1"), Failure);
  assert.throws(() => resolve("app:broken"), Failure);
});

test("groups that are added come after those of the user, each once", () => {
  assert.deepEqual(resolve("app", ["audio", "44", "99"]).additionalGids, [2000, 10, 44, 29, 99]);
  assert.deepEqual(resolve("app:app", ["wheel"]).additionalGids, [2000, 10]);
  assert.throws(() => resolve("app", [""]), Failure);
});

test("files with too many lines, or too long ones, are a failure within a second", () => {
  const started = process.hrtime.bigint();
  for (const text of ["\n".repeat(16 << 20), ":".repeat(16 << 20), `${"a:".repeat(1000)}\n`.repeat(1 << 13)]) {
    assert.throws(() => resolveUser("app", [], { passwd: text, group }), Failure);
    assert.throws(() => resolveUser("0", [], { passwd, group: `${text}\n${"\n".repeat(100_000)}` }), Failure);
  }
  assert.ok(process.hrtime.bigint() - started < 3_000_000_000n);
});

test("a user with more groups than the kernel takes is a failure", () => {
  const many = Array.from({ length: 65537 }, (_, gid) => `g${gid}:x:${gid + 1}:app`).join("\n");
  assert.throws(() => resolveUser("app", [], { passwd, group: many }), /more groups/);
});

test("whatever the files say, only an entry with uid 0 makes a name root", () => {
  const field = fc.stringMatching(/^[a-c0-4:+ -]{0,12}$/);
  fc.assert(
    fc.property(fc.array(field), fc.stringMatching(/^[a-c]{1,2}$/), (lines, name) => {
      let uid: number | undefined;
      try {
        uid = resolveUser(name, [], { passwd: lines.join("\n"), group: "" }).uid;
      } catch (error) {
        assert.ok(error instanceof Failure);
      }
      if (uid !== 0) return;
      assert.ok(
        lines.some((line) => line.trim().startsWith(`${name}:`) && /^0+$/.test(line.trim().split(":")[2] ?? "")),
      );
    }),
  );
});
