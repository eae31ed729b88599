import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseMount, parseTmpfs, parseVolume, refuseSharedTargets } from "../../../src/cli/mount-values.ts";
import { Failure } from "../../../src/failure.ts";

const CWD = "/home/user";
const volume = (input: string) => parseVolume(input, CWD);
const bind = { kind: "bind", source: "/a", target: "/b", readonly: false, propagation: "rprivate", recursive: true };

test("-v mounts a directory of the host, and makes it if need be", () => {
  assert.deepEqual(volume("/a:/b"), { ...bind, createSource: true });
  assert.deepEqual(volume("/a:/b:ro"), { ...bind, readonly: true, createSource: true });
  assert.deepEqual(volume("/a:/b:ro,rslave,z"), { ...bind, readonly: true, propagation: "rslave", createSource: true });
});

test("-v with a path that begins with a dot is below the working directory", () => {
  assert.deepEqual(volume(".:/b"), { ...bind, source: CWD, createSource: true });
  assert.deepEqual(volume("./x/../y:/b"), { ...bind, source: "/home/user/y", createSource: true });
  assert.deepEqual(volume("../../../..:/b"), { ...bind, source: "/", createSource: true });
});

test("-v with a name mounts a volume, and with a target alone one without a name", () => {
  assert.deepEqual(volume("data:/b:ro"), { kind: "volume", name: "data", target: "/b", readonly: true });
  assert.deepEqual(volume("/b"), { kind: "volume", name: undefined, target: "/b", readonly: false });
});

test("-v refuses what is neither, and says why", () => {
  const bad = ["", ":", "/a:", ":/b", "/a:/b:", "/a:/b:ro:x", "a/b:/c", "~:/c", "/a:b", "-x:/b", "/a:/b:xx"];
  for (const input of bad) assert.throws(() => volume(input), /bad volume/, input);
  assert.throws(() => volume("/a:/b:ro,rw"), /'ro' and 'rw' contradict each other/);
  assert.throws(() => volume("/a:/b:shared,slave"), /contradict each other/);
});

test("-v refuses options that would not be honoured", () => {
  assert.throws(() => volume("data:/b:nocopy"), /unknown option 'nocopy'/);
  assert.throws(() => volume("data:/b:rshared"), /'rshared' is for directories of the host/);
});

test("nothing is mounted over the root or /proc, by whatever name", () => {
  for (const target of ["/", "//", "/.", "/proc", "/proc/", "//proc/self", "/./proc"])
    assert.throws(() => volume(`/a:${target}`), /bad volume/, target);
  for (const target of ["/../b", "/b/..", "/proc/../b"]) assert.throws(() => volume(`/a:${target}`), Failure, target);
  assert.equal(volume("/a:/proc/cpuinfo").target, "/proc/cpuinfo");
  assert.throws(() => parseMount("type=tmpfs,target=/proc/sys"), /bad mount/);
  assert.throws(() => parseTmpfs("/proc"), /bad tmpfs/);
});

test("a target has one name", () => {
  for (const target of ["/b/", "//b", "/./b", "/b//."]) assert.equal(volume(`/a:${target}`).target, "/b", target);
});

test("two mounts on one place are refused", () => {
  assert.throws(() => refuseSharedTargets([volume("/a:/b"), parseTmpfs("/b/")]), /two mounts on '\/b'/);
  refuseSharedTargets([volume("/a:/b"), parseTmpfs("/b/c")]);
});

test("--mount mounts a directory that must be there", () => {
  assert.deepEqual(parseMount("type=bind,source=/a,target=/b"), { ...bind, createSource: false });
  assert.deepEqual(parseMount("type=bind,src=/a,dst=/b,ro,bind-propagation=shared,bind-recursive=disabled"), {
    ...bind,
    readonly: true,
    propagation: "shared",
    recursive: false,
    createSource: false,
  });
});

test("--mount is read-only however that is said", () => {
  for (const field of ["ro", "readonly", "ro=true", "readonly=1", "readonly=T", "READONLY=true"])
    assert.equal((parseMount(`type=bind,src=/a,dst=/b,${field}`) as { readonly: boolean }).readonly, true, field);
  assert.equal((parseMount("type=bind,src=/a,dst=/b,ro=0") as { readonly: boolean }).readonly, false);
  assert.throws(() => parseMount("type=bind,src=/a,dst=/b,readonly=maybe"), /is true or false, not 'maybe'/);
});

test("--mount takes fields in quotes, which may hold commas", () => {
  assert.equal((parseMount('type=bind,"source=/a,c",dst=/b') as { source: string }).source, "/a,c");
  assert.equal((parseMount('type=bind,"source=/a""c",dst=/b') as { source: string }).source, '/a"c');
  assert.throws(() => parseMount('type=bind,"source=/a'), /a quote is not closed/);
  assert.throws(() => parseMount('type=bind,"source=/a"x,dst=/b'), /quotes are around whole fields/);
});

test("--mount makes volumes and tmpfs", () => {
  assert.deepEqual(parseMount("source=data,target=/b"), {
    kind: "volume",
    name: "data",
    target: "/b",
    readonly: false,
  });
  assert.deepEqual(parseMount("target=/b"), { kind: "volume", name: undefined, target: "/b", readonly: false });
  assert.deepEqual(parseMount("type=tmpfs,target=/b,tmpfs-size=1m,tmpfs-mode=700,ro"), {
    kind: "tmpfs",
    target: "/b",
    options: ["nosuid", "nodev", "noexec", "size=1048576", "mode=700", "ro"],
  });
});

test("--mount refuses what it does not know", () => {
  const bad = [
    "",
    "type=bind,target=/b",
    "type=bind,source=a,target=/b",
    "type=bind,source=/a",
    "type=bind,source=/a,target=/b,colour=red",
    "type=bind,source=/a,source=/c,target=/b",
    "type=bind,source=/a,src=/c,target=/b",
    "type=bind,source=/a,target=/b,bind-recursive=writable",
    "type=bind,source=/a,target=/b,bind-propagation=far",
    "type=volume,source=a/b,target=/b",
    "type=tmpfs,source=x,target=/b",
    "type=tmpfs,target=/b,tmpfs-mode=9",
    "type=nfs,target=/b",
  ];
  for (const input of bad) assert.throws(() => parseMount(input), /bad mount/, input);
});

test("--tmpfs is safe where nothing else is asked for", () => {
  assert.deepEqual(parseTmpfs("/b").kind === "tmpfs" && parseTmpfs("/b"), {
    kind: "tmpfs",
    target: "/b",
    options: ["nosuid", "nodev", "noexec", "mode=1777"],
  });
  assert.deepEqual(parseTmpfs("/b:size=64m,exec,mode=755"), {
    kind: "tmpfs",
    target: "/b",
    options: ["nosuid", "nodev", "size=64m", "exec", "mode=755"],
  });
  for (const bad of ["b", "/b:", "/b:size", "/b:colour=red", "/b:bind"])
    assert.throws(() => parseTmpfs(bad), /bad tmpfs/, bad);
});

test("whatever is asked for, a mount is at a canonical absolute path or a Failure", () => {
  const piece = fc.constantFrom("/", "a", ".", "..", ":", ",", "=", '"', "ro", "type=bind", "src=/x", "dst=/y", "proc");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      for (const parse of [volume, parseMount, parseTmpfs]) {
        try {
          const { target } = parse(pieces.join(""));
          assert.match(target, /^(\/[^/]+)+$/);
          assert.ok(!target.split("/").some((part) => part === "." || part === ".."));
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
});
