import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BLOCK_BYTES, endOfArchive, entryHeader, paddingAfter, paxRecord } from "../../../src/image/tar-header.ts";

/** What GNU tar lists of an archive. */
function listed(...parts: Uint8Array[]): string {
  const directory = mkdtempSync(join(tmpdir(), "tar-header-"));
  try {
    const path = join(directory, "archive.tar");
    writeFileSync(path, Buffer.concat(parts));
    return execFileSync("tar", ["-tvf", path, "--utc", "--full-time", "--numeric-owner"], {
      encoding: "utf8",
      env: { ...process.env, LC_ALL: "C" },
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("files and directories are read by tar, without owner and time", () => {
  const data = Buffer.from("hello");
  const archive = [
    entryHeader({ name: "blobs/", kind: "directory", sizeBytes: 0 }),
    entryHeader({ name: "blobs/ä", kind: "file", sizeBytes: data.length }),
    data,
    paddingAfter(data.length),
    endOfArchive(),
  ];
  assert.deepEqual(
    listed(...archive)
      .split("\n")
      .slice(0, 2),
    [
      "drwxr-xr-x 0/0               0 1970-01-01 00:00:00 blobs/",
      "-rw-r--r-- 0/0               5 1970-01-01 00:00:00 blobs/\\303\\244",
    ],
  );
});

test("a name of more than 100 bytes goes into a pax header", () => {
  const name = `${"long/".repeat(40)}name`;
  const archive = [entryHeader({ name, kind: "file", sizeBytes: 0 }), endOfArchive()];
  assert.match(listed(...archive), new RegExp(`${name}\n$`));
});

test("sizes from 8 GiB on go into a pax header, and smaller ones do not", () => {
  const largest = entryHeader({ name: "a", kind: "file", sizeBytes: 8 ** 11 - 1 });
  assert.equal(largest.length, BLOCK_BYTES);
  assert.equal(Buffer.from(largest.subarray(124, 136)).toString(), "77777777777\0");
  const larger = entryHeader({ name: "a", kind: "file", sizeBytes: 8 ** 11 });
  assert.equal(larger.length, 3 * BLOCK_BYTES);
  assert.equal(Buffer.from(larger.subarray(BLOCK_BYTES, BLOCK_BYTES + 19)).toString(), "19 size=8589934592\n");
});

test("the length of a pax record counts its own digits", () => {
  assert.equal(Buffer.from(paxRecord("k", "v")).toString(), "6 k=v\n");
  const records = Array.from({ length: 120 }, (_, length) => Buffer.from(paxRecord("k", "v".repeat(length))));
  for (const record of records) assert.equal(Number(record.toString().split(" ")[0]), record.length);
});

test("what fills a block is never a whole block", () => {
  assert.deepEqual(
    [0, 1, 511, 512, 513].map((size) => paddingAfter(size).length),
    [0, 511, 1, 0, 511],
  );
});
