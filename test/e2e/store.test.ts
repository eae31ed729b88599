/** The store as a whole: what it takes, whether it is sound, and what can go. */
import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { tar } from "./tar.ts";

async function answer(engine: Pick<Engine, "call">, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

const archive = (store: ImageStore, text: string) =>
  store.file(tar({ name: "file", data: Buffer.from(text.repeat(100_000)) }), `${text}.tar`);

storeTest(
  "a sound store is told to be sound; a blob that has changed is found, and removed with its image",
  async (store) => {
    await answer(store, "import", archive(store, "one"), "one");
    await answer(store, "import", archive(store, "two"), "two");
    assert.match(await answer(store, "system", "check"), /^Checked 2 names of images, 6 blobs, .*: all is well\n$/);
    const { layers } = JSON.parse(await answer(store, "inspect", "one"))[0];
    const blob = join(store.images, "blobs/sha256", layers[0].blob.slice(7));
    writeFileSync(blob, "something else");
    writeFileSync(join(store.images, "blobs/sha256", "0".repeat(64)), "nobody's");
    const damaged = await store.call(["system", "check"]);
    assert.equal(damaged.status, 1);
    assert.match(damaged.stdout, /^one:latest: its layer 1 is not sha256:[0-9a-f]{64} any more$/m);
    assert.match(damaged.stdout, /^nobody refers to the blob 0{64}$/m);
    assert.match(await answer(store, "system", "check", "--repair"), /pull or load them again/);
    assert.match(await answer(store, "system", "check"), /^Checked 1 names of images, 3 blobs, .*: all is well\n$/);
    assert.equal((await store.call(["inspect", "two"])).status, 0);
  },
);

storeTest("a layer that is gone is found", async (store) => {
  await answer(store, "import", archive(store, "one"), "one");
  for (const path of store.layers("docker.io/library/one:latest")) rmSync(path, { recursive: true });
  assert.match((await store.call(["system", "check"])).stdout, /layer 1 is not unpacked/);
  await answer(store, "system", "check", "--repair");
  assert.equal(await answer(store, "images", "-q"), "");
});

storeTest("images without a name are pruned, and with -a those without a container", async (store) => {
  await answer(store, "import", archive(store, "one"), "same");
  await answer(store, "import", archive(store, "two"), "same");
  const df = JSON.parse((await answer(store, "system", "df", "--format", "json")).split("\n")[0] ?? "");
  assert.deepEqual([df.Type, df.TotalCount, df.Active, df.Reclaimable.endsWith("(100%)")], ["Images", "2", "0", true]);
  const refused = await store.call(["image", "prune"]);
  assert.match(refused.stderr, /asks first, and there is no terminal — say --force/);
  assert.match(
    await answer(store, "image", "prune", "-f"),
    /^Deleted Images:\ndeleted: sha256:[0-9a-f]{64}\n\nTotal reclaimed space: \d+(\.\d)?KB\n$/,
  );
  assert.match(await answer(store, "image", "ls"), /same/);
  assert.equal(await answer(store, "image", "prune", "-af", "--filter", "until=24h"), "Total reclaimed space: 0B\n");
  assert.match(await answer(store, "image", "prune", "-af"), /^untagged: same:latest$/m);
  assert.deepEqual(contentsOf(store.images), []);
});

e2e("what has ended is pruned, and what runs stays with its image", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "-v", "/data"]);
  const ended = await startDetached(engine, ["--network", "none", "-v", "/data"], ["true"]);
  await answer(engine, "wait", ended);
  const kept = readdirSync(join(engine.root, "volumes")).length;
  const told = await answer(engine, "system", "prune", "-af", "--volumes");
  assert.match(told, new RegExp(`^Deleted Containers:\n${ended}\n`));
  assert.equal(await answer(engine, "ps", "-aq"), `${id}\n`);
  assert.match(await answer(engine, "images"), /busybox/);
  assert.equal(readdirSync(join(engine.root, "volumes")).length, kept - 1);
  const rows = (await answer(engine, "system", "df")).trimEnd().split("\n");
  assert.match(rows[2] ?? "", /^Containers +1 +1 /);
  assert.match(rows[3] ?? "", /^Local Volumes +1 +1 /);
  await removeAll(engine, id);
});

e2e("a terminal is asked before anything is pruned", async (engine) => {
  const ended = await startDetached(engine, ["--network", "none"], ["true"]);
  await answer(engine, "wait", ended);
  const terminal = engine.startOnTerminal(["container", "prune"]);
  await terminal.sees("stdout", "Are you sure? [y/N]");
  terminal.write("n\n");
  assert.equal((await terminal.ended).status, 0);
  assert.equal(await answer(engine, "ps", "-aq"), `${ended}\n`);
  await removeAll(engine, ended);
});

e2e("commands of groups that there are not are told", async (engine) => {
  for (const [args, reason] of [
    [["image", "eat"], /unknown command 'image eat' — there are build, history,/],
    [["system"], /'system' needs a command — there are df, info, check and prune/],
    [["network", "prune", "x"], /takes no arguments/],
  ] as const) {
    const { status, stderr } = await engine.call([...args]);
    assert.equal(status, 125);
    assert.match(stderr, reason);
  }
});
