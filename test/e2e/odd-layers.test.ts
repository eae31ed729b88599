/** Layers that are odd and not damaged: they are taken as they are, change nothing beside them, and cost no more than others. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MYCONTAINER, start } from "./harness.ts";
import { directory, file, symlink } from "./hostile-layers.ts";
import { layoutOf } from "./image-layout.ts";
import { contentsOf, type ImageStore, imported, storeTest } from "./image-store.ts";
import { childrenOf } from "./kernel-tables.ts";
import { TAR_END, tar, tarEntry } from "./tar.ts";

const PAIR_NAME = "docker.io/library/pair:1";

/** Loads an image of these two layers; where they are, the lower first. */
async function loadedPair(store: ImageStore, lower: Buffer, upper: Buffer): Promise<[string, string]> {
  const { archive } = layoutOf({ name: PAIR_NAME, layers: [lower, upper] });
  const { status, stderr } = await store.call(["load", store.file(archive)]);
  assert.equal(status, 0, stderr);
  const [top = "", bottom = ""] = store.layers(PAIR_NAME);
  return [bottom, top];
}

/** What overlayfs would do with a directory of a layer: the names of its attributes. */
function marksOf(path: string): string {
  const options = ["--xattrs", "--xattrs-include=*", "--format=posix", "--no-recursion"];
  const archive = execFileSync("tar", [...options, "-C", path, "-c", "."], { encoding: "latin1" });
  return (archive.match(/SCHILY\.xattr\.[^\n]*/g) ?? []).join("\n");
}

storeTest("names are bytes: no UTF-8, control characters and newlines survive", async (store) => {
  const odd = Buffer.from([0xff, 0xfe, 0x0a, 0x1b, 0x5b, 0x41, 0xc3]);
  const inside = Buffer.concat([odd, Buffer.from("/.wh..wh..opq")]);
  const upper = tar(
    { name: "x", data: "", pax: { path: inside } },
    { name: "x", data: "d", pax: { path: Buffer.concat([odd, Buffer.from("/file")]) } },
  );
  const lower = tar({ name: "x", type: "5", mode: 0o705, pax: { path: odd } });
  const [bottom, top] = await loadedPair(store, lower, upper);
  for (const layer of [bottom, top]) {
    assert.deepEqual(
      readdirSync(layer, { encoding: "buffer" }).map((name) => name.toString("hex")),
      [odd.toString("hex")],
    );
  }
  const path = Buffer.concat([Buffer.from(`${top}/`), odd]);
  assert.equal(lstatSync(path).mode & 0o777, 0o705, "what the layer below says of the directory is not taken over");
  assert.deepEqual(readdirSync(path), ["file"]);
});

storeTest("what was to be done for a directory is not done to what takes its place", async (store) => {
  const lower = tar(directory("etc", { mode: 0o711 }), directory("d", { mode: 0o777, uid: 5 }));
  // d is implied and opaque, and then a link to a directory that is neither.
  const upper = tar(directory("etc", { mode: 0o700 }), file("d/.wh..wh..opq", ""), symlink("d", "etc"));
  const [, top] = await loadedPair(store, lower, upper);
  assert.equal(readlinkSync(join(top, "d")), "etc");
  assert.equal(marksOf(join(top, "etc")), "");
  const { mode, uid } = lstatSync(join(top, "etc"));
  assert.deepEqual([mode & 0o7777, uid], [0o700, 0]);
});

storeTest("entries of one name replace each other, whatever they are", async (store) => {
  const kinds = [
    file("x", "first"),
    symlink("x", store.outside),
    { name: "x", type: "6" },
    { name: "x", type: "3", device: [1, 3] as [number, number] },
    directory("x"),
    { name: "x", type: "1", link: "other" },
  ];
  for (const first of kinds) {
    for (const second of kinds) {
      const layer = await imported(store, tar(file("other", "other"), first, second));
      const status = lstatSync(join(layer, "x"));
      const are = [
        status.isFile(),
        status.isSymbolicLink(),
        status.isFIFO(),
        status.isCharacterDevice(),
        status.isDirectory(),
      ];
      const index = kinds.indexOf(second);
      assert.ok(are[index] ?? status.nlink === 2, `${JSON.stringify(first)}, ${JSON.stringify(second)}`);
      assert.equal(readFileSync(join(layer, "other"), "utf8"), "other");
    }
  }
});

storeTest("times far off are kept as far as the file system can", async (store) => {
  const archive = tar(
    { ...file("before"), pax: { mtime: "-9223372036854775807.5" } },
    { ...file("after"), pax: { mtime: "9223372036854775807" } },
    { ...file("binary"), raw: [[136, Buffer.alloc(12, 0xff)]] },
    { ...directory("d"), pax: { mtime: "-1.25" } },
  );
  const layer = await imported(store, archive);
  assert.equal(lstatSync(join(layer, "binary")).mtimeMs, -1000);
  assert.equal(lstatSync(join(layer, "d")).mtimeMs, -1250);
  assert.ok(lstatSync(join(layer, "before")).mtimeMs < 0);
  assert.ok(lstatSync(join(layer, "after")).mtimeMs > Date.now());
});

storeTest("several compressed streams in a row are one archive", async (store) => {
  const archive = tar(file("one", "1".repeat(3000)), file("two"));
  const parts = [archive.subarray(0, 700), archive.subarray(700, 700), archive.subarray(700)];
  const layer = await imported(store, Buffer.concat(parts.map((part) => gzipSync(part))));
  assert.deepEqual(readdirSync(layer).sort(), ["one", "two"]);
});

/** The most memory that the codec has had; it is looked at as long as it is there. */
async function peakOf(
  store: ImageStore,
  archive: Buffer,
): Promise<{ status: number; stderr: string; peakBytes: number }> {
  const path = store.file(archive);
  const running = start(store.directory, [MYCONTAINER, "import", path, "large"], {
    env: store.env,
    timeoutMs: 120_000,
  });
  let peakKib = 0;
  let isOver = false;
  const ended = running.ended.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    for (const child of childrenOf(running.pid)) {
      const text = readStatus(child);
      peakKib = Math.max(peakKib, Number(/^VmHWM:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { ...(await ended), peakBytes: peakKib * 1024 };
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

/** A stream that is this one many times over. */
const repeated = (part: Buffer, times: number) => {
  const packed = gzipSync(part);
  return Buffer.concat(Array.from({ length: times }, () => packed));
};
const MEMORY_LIMIT_BYTES = 256 * 1024 * 1024;

storeTest("a bomb of a gigabyte costs no more memory than a small archive", async (store) => {
  const zeros = repeated(Buffer.alloc(64 * 1024 * 1024), 16);
  const small = gzipSync(tar(file("x")).subarray(0, 1024));
  const { status, stderr, peakBytes } = await peakOf(store, Buffer.concat([small, gzipSync(TAR_END), zeros]));
  assert.equal(status, 0, stderr);
  assert.ok(peakBytes > 0, "nobody was looked at");
  assert.ok(peakBytes < 64 * 1024 * 1024, `${peakBytes} bytes`);
});

storeTest("one directory a hundred thousand times is one directory", async (store) => {
  const path = `${"d".repeat(250)}/`.repeat(16);
  const entries = Buffer.concat(Array.from({ length: 1000 }, () => tarEntry({ ...directory("d"), pax: { path } })));
  const archive = Buffer.concat([repeated(entries, 100), gzipSync(TAR_END)]);
  const { status, stderr, peakBytes } = await peakOf(store, archive);
  assert.equal(status, 0, stderr);
  assert.ok(peakBytes < 64 * 1024 * 1024, `${peakBytes} bytes`);
});

storeTest("directories whose paths would fill the memory are refused", async (store) => {
  mkdirSync(store.images, { recursive: true });
  const parent = `${"d".repeat(250)}/`.repeat(15);
  const many = (from: number) =>
    gzipSync(
      Buffer.concat(
        Array.from({ length: 1000 }, (_, index) =>
          tarEntry({ ...directory("d"), pax: { path: parent + `${from + index}`.padStart(250, "0") } }),
        ),
      ),
      { level: 1 },
    );
  const archive = Buffer.concat(Array.from({ length: 9 }, (_, index) => many(index * 1000)));
  const { status, stderr, peakBytes } = await peakOf(store, archive);
  assert.equal(status, 125, stderr);
  assert.match(stderr, /^mycontainer: [^\n]* is refused: the paths of the archive's directories are too long\n$/);
  assert.ok(peakBytes < MEMORY_LIMIT_BYTES, `${peakBytes} bytes`);
  assert.deepEqual(contentsOf(store.images), []);
});
