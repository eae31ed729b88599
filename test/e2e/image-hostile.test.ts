/** Layers that were made to do harm (docs/security.md, E3): the real codec in its real cage. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { imported, refused, storeTest } from "./image-store.ts";
import { paxRecord, TAR_END, type TarEntry, tar, tarEntry } from "./tar.ts";

const dir = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({ name, type: "5", mode: 0o755, ...more });
const symlink = (name: string, link: string): TarEntry => ({ name, type: "2", link });
const hardLink = (name: string, link: string): TarEntry => ({ name, type: "1", link });
const file = (name: string, data = "data"): TarEntry => ({ name, data });

storeTest("a path that leads upwards is refused, wherever the dots are", async (store) => {
  for (const name of ["../x", "a/../../x", "a/..", "..", "./../x"])
    await refused(store, tar(file(name)), /leads upwards/);
  await refused(store, tar({ name: "x", pax: { path: "../x" } }), /leads upwards/);
  await refused(store, tar(hardLink("x", "../outside/file")), /leads upwards/);
});

storeTest("an absolute path lies in the layer", async (store) => {
  const layer = await imported(store, tar(file(`${store.outside}/file`), file("//x")));
  assert.equal(readFileSync(join(layer, store.outside, "file"), "utf8"), "data");
  assert.ok(existsSync(join(layer, "x")));
});

storeTest("what is written through a link stays in the layer", async (store) => {
  const up = "../".repeat(20);
  const layer = await imported(
    store,
    tar(
      dir("real"),
      symlink("absolute", "/real"),
      file("absolute/one"),
      symlink("upwards", `${up}real`),
      file("upwards/two"),
      symlink("outside", store.outside),
      symlink("other", `${up}${store.outside.slice(1)}`),
    ),
  );
  assert.deepEqual(readdirSync(join(layer, "real")).sort(), ["one", "two"]);
  assert.equal(readlinkSync(join(layer, "outside")), store.outside);
  for (const name of ["outside/new", "outside/file", "other/new", "outside/deep/.wh.file"]) {
    const archive = tar(
      symlink("outside", store.outside),
      symlink("other", `${up}${store.outside.slice(1)}`),
      file(name),
    );
    // There is no such directory in the layer.
    await store.call(["rmi", "hostile"]);
    await refused(store, archive, /is used as a directory and is none/);
  }
});

storeTest("a link is replaced, not followed", async (store) => {
  const layer = await imported(
    store,
    tar(
      symlink("file", `${store.outside}/file`),
      file("file", "mine"),
      symlink("directory", store.outside),
      dir("directory", { mode: 0o700, uid: 5 }),
      symlink("fifo", `${store.outside}/file`),
      { name: "fifo", type: "6", mode: 0o600 },
    ),
  );
  assert.equal(readFileSync(join(layer, "file"), "utf8"), "mine");
  assert.ok(lstatSync(join(layer, "directory")).isDirectory());
  assert.ok(lstatSync(join(layer, "fifo")).isFIFO());
});

storeTest("a hard link leads to a file that the layer has already, and to nothing else", async (store) => {
  const missing = /does not have before it/;
  await refused(store, tar(hardLink("x", `${store.outside}/file`)), missing);
  await refused(store, tar(symlink("out", store.outside), hardLink("x", "out/file")), missing);
  await refused(store, tar(hardLink("x", "later"), file("later")), missing);
  await refused(store, tar(dir("d"), hardLink("x", "d")), missing);
  await refused(store, tar(hardLink("x", ".")), missing);
  await refused(store, tar(file(".wh.gone", ""), hardLink("x", "gone")), missing);
  const layer = await imported(store, tar(symlink("s", `${store.outside}/file`), hardLink("x", "s")));
  assert.equal(readlinkSync(join(layer, "x")), `${store.outside}/file`, "the link itself has two names");
});

storeTest("the root of a layer is a directory", async (store) => {
  for (const entry of [symlink(".", store.outside), symlink("./", store.outside), file("."), hardLink("/", "x")])
    await refused(store, tar(file("x"), entry), /root is no directory/);
  const layer = await imported(store, tar(dir("./", { mode: 0o750, uid: 7 }), file("x")));
  assert.equal(statSync(layer).mode & 0o7777, 0o750);
  assert.equal(statSync(layer).uid, 7);
});

storeTest("a whiteout is a file with the name of something", async (store) => {
  for (const name of [".wh.", ".wh..", ".wh...", ".wh..wh.x", "d/.wh..wh..wh..opq"])
    await refused(store, tar(dir("d"), file(name, "")), /hides nothing that can be/);
  for (const entry of [dir(".wh.x"), symlink(".wh.x", "/"), { name: ".wh..wh..opq", type: "6" }])
    await refused(store, tar(entry), /is no file/);
  await refused(store, tar(dir("d"), hardLink(".wh.x", "d")), /is no file/);
  await refused(store, tar(file("a/.wh.b/c")), /lies in a whiteout/);
  await refused(store, tar({ name: "zero", type: "3", device: [0, 0] }), /0:0/);
});

storeTest("a layer has no attributes of the host's", async (store) => {
  const value = "y";
  const pax = {
    "SCHILY.xattr.trusted.overlay.opaque": value,
    "SCHILY.xattr.trusted.overlay.redirect": "/etc",
    "SCHILY.xattr.trusted.overlay.metacopy": "",
    "SCHILY.xattr.user.overlay.opaque": value,
    "SCHILY.xattr.security.selinux": "system_u:object_r:shadow_t:s0",
  };
  const layer = await imported(store, tar({ ...dir("d"), pax }, { ...file("f"), pax }));
  const { stdout } = await store.call(["inspect", "hostile"]);
  assert.ok(stdout.includes("sha256:"));
  assert.equal(attributesOf(layer), "", "attributes were taken over");
});

/** What `tar` finds of attributes in a tree. */
function attributesOf(directory: string): string {
  const text = execFileSync("tar", ["--xattrs", "--xattrs-include=*", "--format=posix", "-C", directory, "-c", "."], {
    encoding: "latin1",
    maxBuffer: 1 << 26,
  });
  return (text.match(/SCHILY\.xattr\.[^\n]*/g) ?? []).join("\n");
}

storeTest("devices, set-id bits and owners are kept as they are", async (store) => {
  const layer = await imported(
    store,
    tar(
      { name: "null", type: "3", mode: 0o666, device: [1, 3] },
      { name: "disk", type: "4", mode: 0o660, gid: 6, device: [8, 0] },
      { ...file("su"), mode: 0o6755, uid: 3, gid: 4 },
    ),
  );
  assert.equal(lstatSync(join(layer, "null")).rdev, (1 << 8) | 3);
  assert.equal(lstatSync(join(layer, "disk")).rdev, 8 << 8);
  const { mode, uid, gid } = statSync(join(layer, "su"));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o6755, 3, 4]);
  assert.equal(statSync(join(layer, "../..")).mode & 0o777, 0o700, "the store is open to others");
});

storeTest("numbers that are none, or out of range, are refused", async (store) => {
  await refused(store, tar({ ...file("x"), pax: { uid: "4294967295" } }), /owner .* out of range/);
  await refused(store, tar({ ...file("x"), pax: { gid: "99999999999999999999" } }), /no number/);
  await refused(store, tar({ ...file("x"), pax: { mtime: "1e9" } }), /no number/);
  await refused(store, tar({ ...file("x"), pax: { size: "-1" } }), /no number/);
});

storeTest("an entry has one size", async (store) => {
  await refused(store, tar({ ...file("x"), pax: { size: "0" } }), /two sizes/);
  await refused(store, tar({ ...file("x"), size: 1024 * 1024 }), /cut off/);
  await refused(store, tar({ ...symlink("x", "y"), size: 512, data: "x".repeat(512) }), /no file has data/);
  await refused(store, tar({ ...dir("x"), size: 512, data: "x".repeat(512) }), /no file has data/);
  await refused(store, tar({ ...file("x", ""), size: 0, pax: { size: String(2 ** 62) } }), /cut off/);
});

storeTest("a sparse file is as large as its parts say, and not larger than is allowed", async (store) => {
  const sparse = (size: string, map: string, data = "data") =>
    tar({ ...file("x", data), pax: { "GNU.sparse.name": "s", "GNU.sparse.size": size, "GNU.sparse.map": map } });
  await refused(store, sparse(String(2n ** 63n), "0,4"), /too large|refused/);
  await refused(store, sparse("100", "0,5"), /parts of a sparse file/);
  await refused(store, sparse("2", "0,4"), /parts of a sparse file/);
  await refused(store, sparse("100", "50,2,10,2"), /parts of a sparse file/);
  await refused(store, sparse("100", `${2n ** 64n - 1n},4`), /parts of a sparse file/);
  await refused(store, sparse("100", "0,4,5"), /map of a sparse file/);
  const layer = await imported(store, sparse("1000000", "0,2,999998,2"));
  const { size, blocks } = statSync(join(layer, "s"));
  assert.equal(size, 1_000_000);
  assert.ok(blocks < 100, `${blocks} blocks`);
});

storeTest("damaged archives are refused", async (store) => {
  const good = tar(file("a", "x".repeat(5000)), file("b"));
  await refused(store, good.subarray(0, 3000), /cut off in a file/);
  await refused(store, good.subarray(0, 512 + 5120), /no end marker/);
  await refused(store, good.subarray(0, 512 + 5120 + 100), /cut off in a header/);
  await refused(store, gzipSync(good).subarray(0, 60), /cut off|damaged/);
  await refused(store, Buffer.concat([gzipSync(good), Buffer.from("more")]), /damaged/);
  await refused(store, Buffer.concat([good, tar(file("hidden"))]), /after the end/);
  await refused(store, tar(file("a"), { ...file("b"), checksum: 1 }), /checksum/);
  await refused(store, tar({ ...file("a"), checksum: 1 }), /no archive/);
  await refused(store, tar(file("a"), { name: "b", type: "V" }), /unknown type/);
  await refused(store, TAR_END, /without files/);
  await refused(store, Buffer.from("hello"), /no archive/);
  await refused(store, Buffer.alloc(0), /no archive/);
});

storeTest("damaged extensions are refused", async (store) => {
  const pax = (data: string | Buffer, type = "x") => tarEntry({ name: "PaxHeader", type, data });
  for (const data of ["9 path=ab\n", "99 path=ab\n", "path=ab\n", "10 path=abc", "\0\0\0\0"])
    await refused(store, tar(pax(data), file("x")), /attributes .* damaged/);
  await refused(store, tar(pax(paxRecord("path", "a\0b")), file("x")), /NUL/);
  await refused(store, tar(pax(paxRecord("path", "a")), pax(paxRecord("path", "b")), file("x")), /twice/);
  await refused(store, tar(pax(paxRecord("path", "a"))), /before its entry/);
  await refused(store, tar(pax(paxRecord("uid", "0"), "g"), file("x")), /for all of its entries/);
  await refused(store, tar({ name: "x", type: "x", size: 2 ** 31 }, file("x")), /too large/);
  const layer = await imported(store, tar(pax(paxRecord("comment", "a commit"), "g"), file("x")));
  assert.ok(existsSync(join(layer, "x")));
});

storeTest("too much of anything is refused", async (store) => {
  await refused(store, tar({ name: "x", pax: { path: "a".repeat(300) } }), /too long/);
  await refused(store, tar({ name: "x", pax: { path: `${"a/".repeat(5000)}x` } }), /deeper/);
  await refused(store, tar({ name: "x", pax: { path: `${"a".repeat(200)}/`.repeat(30) } }), /too long/);
});

storeTest("more than a million entries are refused", async (store) => {
  const one = tarEntry(dir("d"));
  const many = Buffer.concat([...Array.from({ length: 1000 }, () => one)]);
  const archive = gzipSync(Buffer.concat([...Array.from({ length: 1001 }, () => many), TAR_END]), { level: 1 });
  await refused(store, archive, /more than 1000000 entries/, { timeoutMs: 240_000 });
});
