/** Commands of images at the same time: no error that is not about what the others do, and a store that is sound. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Engine, e2e, type Outcome } from "./harness.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { openRegistry, type ScriptedRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const AT_ONCE = 32;
const ROUNDS = 4;
const PATIENCE = { timeoutMs: 120_000 };

async function withRegistry(body: (registry: ScriptedRegistry) => Promise<void>): Promise<void> {
  const registry = await openRegistry();
  try {
    await body(registry);
  } finally {
    await registry.close();
  }
}

const layer = (name: string) => tar({ name, data: randomBytes(200_000) });
const places = (images: string) => ["staging", "partial"].flatMap((place) => readdirSync(join(images, place)));

/** The store as all have left it. */
async function isSound(store: Pick<ImageStore, "call" | "images">): Promise<void> {
  const { status, stdout, stderr } = await store.call(["system", "check"]);
  assert.equal(status, 0, stdout + stderr);
  assert.deepEqual(places(store.images), []);
}

storeTest(`${AT_ONCE} pulls of one image at once get each layer once, and all end well`, async (store) => {
  await withRegistry(async (registry) => {
    const { layers } = registry.image("app:1", ["one", "two", "three"].map(layer));
    const pull = () => store.call(["pull", `${registry.host}/app:1`], PATIENCE);
    for (const { status, stderr } of await Promise.all(Array.from({ length: AT_ONCE }, pull)))
      assert.equal(status, 0, stderr);
    assert.deepEqual(
      layers.map((digest) => registry.times(digest)),
      [1, 1, 1],
    );
    await isSound(store);
  });
});

storeTest("pulls of images that share layers at once get each layer once", async (store) => {
  await withRegistry(async (registry) => {
    const shared = ["one", "two", "three", "four"].map(layer);
    const images = [0, 1, 2, 3].map((index) =>
      // The same layers in another order are unpacked upon others.
      registry.image(`app:${index}`, [...shared.slice(index), ...shared.slice(0, index), layer(`own${index}`)]),
    );
    const tags = Array.from({ length: AT_ONCE }, (_, index) => index % images.length);
    const pulls = tags.map((tag) => store.call(["pull", `${registry.host}/app:${tag}`], PATIENCE));
    for (const { status, stderr } of await Promise.all(pulls)) assert.equal(status, 0, stderr);
    for (const digest of new Set(images.flatMap(({ layers }) => layers))) assert.equal(registry.times(digest), 1);
    await isSound(store);
    for (const tag of [0, 1, 2, 3]) await store.call(["rmi", `${registry.host}/app:${tag}`]);
    assert.deepEqual(contentsOf(store.images), []);
  });
});

/** What a command may say that others come in the way of. */
const EXPECTED: Record<string, RegExp> = {
  pull: /^$/,
  import: /^$/,
  images: /^$/,
  check: /^$/,
  prune: /^$/,
  run: /^mycontainer: no image '.*' here|^$/,
  rmi: /^mycontainer: no image '.*' here|is used by container|^$/,
  tag: /^mycontainer: no image '.*' here|^$/,
  save: /^mycontainer: no image '.*' here|^$/,
};

e2e(
  "pulled, run, tagged, saved, removed and pruned at once, images are there or not, and never in part",
  async (engine: Engine) => {
    const images = join(engine.root, "images");
    const busybox = await engine.call(["save", "-o", join(engine.directory, "busybox.tar"), "busybox"]);
    assert.equal(busybox.status, 0, busybox.stderr);
    await withRegistry(async (registry) => {
      const base = await engine.call(["tag", "busybox", "base"]);
      assert.equal(base.status, 0, base.stderr);
      registry.image("app:1", ["one", "two"].map(layer), { config: { Cmd: ["/true"] } });
      const name = `${registry.host}/app:1`;
      const commands: Record<string, string[]> = {
        pull: ["pull", name],
        import: ["load", "-i", join(engine.directory, "busybox.tar")],
        images: ["images", "-a"],
        check: ["system", "check"],
        prune: ["image", "prune", "-af"],
        run: ["run", "--rm", "-q", "--network", "none", "--pull", "missing", "busybox", "true"],
        rmi: ["rmi", name],
        tag: ["tag", name, "other:1"],
        save: ["save", "-o", "/dev/null", name],
      };
      for (let round = 0; round < ROUNDS; round++) {
        const work = Object.entries(commands).flatMap(([kind, args]) =>
          [1, 2].map(async (): Promise<[string, Outcome]> => [kind, await engine.call(args, PATIENCE)]),
        );
        for (const [kind, { status, stdout, stderr }] of await Promise.all(work)) {
          const said = status === 0 ? "" : stderr || stdout;
          assert.match(said, EXPECTED[kind] ?? /^$/, kind);
        }
        await isSound({ ...engine, images });
      }
      for (const image of [name, "other:1", "base"]) await engine.call(["rmi", "-f", image]);
      assert.equal((await engine.call(["run", "--rm", "-q", "--network", "none", "busybox", "true"])).status, 0);
    });
  },
);
