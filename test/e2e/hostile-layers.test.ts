/** Layers that were made to do harm, by all ways in which layers come: `import`, `load` and `pull` (docs/security.md, E3). */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Outcome } from "./harness.ts";
import { hostileLayers } from "./hostile-layers.ts";
import { layoutOf } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { openRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

type Refusal = Pick<Outcome, "status" | "stderr">;

/** An outcome of a command that has to be a refusal: one line, and a store without any of it, but for what may be gone on with. */
function refused(store: ImageStore, title: string, reason: RegExp, outcome: Refusal, kept: string[] = []): void {
  assert.equal(outcome.status, 125, `${title}: ${outcome.stderr}`);
  assert.match(outcome.stderr, /^mycontainer: [^\n]*\n$/, title);
  assert.match(outcome.stderr, reason, title);
  const partial = join(store.images, "partial");
  mkdirSync(partial, { recursive: true });
  const begun = readdirSync(partial).filter((name) => !kept.includes(`sha256:${name}`));
  assert.deepEqual([...contentsOf(store.images), ...begun], [], title);
}

storeTest("import refuses them all, and says why", async (store) => {
  for (const { title, archive, reason } of hostileLayers(store.outside)) {
    refused(store, title, reason, await store.call(["import", store.file(archive), "hostile"]));
  }
});

storeTest("load refuses them all, and says why", async (store) => {
  const good = tar({ name: "good", data: "good" });
  for (const { title, archive, reason } of hostileLayers(store.outside)) {
    const { archive: layout } = layoutOf({ name: "docker.io/library/hostile:1", layers: [good, archive] });
    refused(store, title, reason, await store.call(["load", store.file(layout)]));
  }
});

storeTest("pull refuses them all, and says why", async (store) => {
  const registry = await openRegistry();
  try {
    for (const { title, archive, reason } of hostileLayers(store.outside)) {
      const { layers } = registry.imageAsIs("hostile:1", [tar({ name: "good", data: "good" }), archive]);
      const outcome = await store.call(["pull", `${registry.host}/hostile:1`]);
      refused(store, title, reason, outcome, layers.slice(0, 1));
    }
  } finally {
    await registry.close();
  }
});

storeTest("what load takes apart itself is refused alike", async (store) => {
  for (const { title, archive } of hostileLayers(store.outside)) {
    const { status, stderr } = await store.call(["load", store.file(archive)]);
    assert.equal(status, 125, title);
    assert.match(stderr, /^mycontainer: [^\n]*\n$/, title);
    assert.deepEqual(contentsOf(store.images), [], title);
  }
});

storeTest("an archive that is cut at any border of its blocks is refused", async (store) => {
  const archive = tar(
    { name: "a", data: "x".repeat(1500) },
    { name: "b", data: "b", pax: { comment: "c".repeat(600), path: "renamed" } },
    {
      name: "c",
      type: "S",
      data: "",
      raw: [
        [257, "ustar  \0"],
        [482, "\x01"],
        [483, "00000000000\0"],
      ],
    },
    Buffer.alloc(512), // of the map of c, which goes on there
  );
  const last = archive.length - 1024;
  for (let length = 0; length <= last; length += 512) {
    const { status, stderr } = await store.call(["import", store.file(archive.subarray(0, length)), "cut"]);
    assert.equal(status, 125, `${length}: ${stderr}`);
    assert.match(stderr, length === 0 ? /is empty/ : /cut off|before its entry/, `${length}`);
    assert.deepEqual(contentsOf(store.images), []);
  }
  // One block of zeros is an end; most tools write two.
  const { status, stderr } = await store.call(["import", store.file(archive.subarray(0, last + 512)), "whole"]);
  assert.equal(status, 0, stderr);
  const [layer = ""] = store.layers("docker.io/library/whole:latest");
  assert.deepEqual(readdirSync(layer).sort(), ["a", "c", "renamed"]);
  assert.equal(readFileSync(join(layer, "renamed"), "utf8"), "b");
});
