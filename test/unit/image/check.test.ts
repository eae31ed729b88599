import assert from "node:assert/strict";
import { test } from "node:test";
import { aliasOf } from "../../../src/cli/groups.ts";
import { parsePruneFilter } from "../../../src/cli/prune.ts";
import { imagesToPrune, isMeant } from "../../../src/container/prune.ts";
import { Failure } from "../../../src/failure.ts";
import { damagesOf } from "../../../src/image/check.ts";
import type { ImageRecord } from "../../../src/image/store.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const sum = (letter: string, real = letter) => ({ file: letter.repeat(64), digest: digest(real), size: 1 });

function image(changes: Partial<ImageRecord> = {}): ImageRecord {
  const layer = { directory: "l1", chainId: digest("c"), diffId: digest("d"), sizeBytes: 1, blob: digest("b") };
  return {
    version: 1,
    name: "docker.io/library/a:1",
    id: digest("1"),
    digest: digest("2"),
    manifestSizeBytes: 1,
    manifestType: "",
    createdMs: 1000,
    config: {},
    layers: [layer],
    ...changes,
  };
}

const texts = (...args: Parameters<typeof damagesOf>) => damagesOf(...args).map(({ text }) => text);

test("a store that is what its records say has no damage", () => {
  assert.deepEqual(texts([image()], [sum("1"), sum("2"), sum("b")], ["l1"]), []);
});

test("what is missing, changed, not unpacked or superfluous is told", () => {
  const found = texts([image()], [sum("1", "9"), sum("2"), sum("e")], ["l2"]);
  assert.deepEqual(found, [
    `a:1: its configuration is not ${digest("1")} any more`,
    `a:1: its layer 1, ${digest("b")}, is missing`,
    "a:1: layer 1 is not unpacked",
    `nobody refers to the blob ${"e".repeat(64)}`,
    "nobody refers to the layer l2",
  ]);
});

test("what has no name is pruned, and with all what no container uses", () => {
  const records = [image(), image({ name: null, digest: digest("3") }), image({ digest: digest("4") })];
  const users = [{ container: "c", digest: digest("4") }];
  const none = { labels: [] };
  assert.deepEqual(
    imagesToPrune(records, users, false, none).map((one) => one.digest),
    [digest("3")],
  );
  assert.deepEqual(
    imagesToPrune(records, users, true, none).map((one) => one.digest),
    [digest("2"), digest("3")],
  );
});

test("filters ask for a time and for labels", () => {
  const filter = parsePruneFilter(["until=24h", "label=a", "label=b=c"], 100_000_000);
  assert.deepEqual(filter, {
    untilMs: 100_000_000 - 86_400_000,
    labels: [
      ["a", undefined],
      ["b", "c"],
    ],
  });
  assert.ok(isMeant(filter, 1, { a: "", b: "c" }));
  assert.ok(!isMeant(filter, 99_000_000, { a: "", b: "c" }));
  assert.ok(!isMeant(filter, 1, { b: "c" }));
  assert.ok(!isMeant({ labels: [["toString", undefined]] }, 1, {}));
  for (const text of ["until=soon", "color=red", "x"]) assert.throws(() => parsePruneFilter([text], 0), Failure, text);
});

test("commands of groups have names of their own", () => {
  assert.equal(aliasOf("image", "ls"), "images");
  assert.equal(aliasOf("container", "prune"), "prune");
  assert.throws(() => aliasOf("image", "toString"), /unknown command 'image toString'/);
  assert.throws(() => aliasOf("volume", undefined), /'volume' needs a command/);
});
