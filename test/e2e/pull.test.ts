/** Pulling images: what users see, and what is left when it goes wrong. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateAuthority } from "./certificates.ts";
import { MYCONTAINER, start, startOnTerminal } from "./harness.ts";
import { digestOf } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { holdHalf, openRegistry, type ScriptedRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

/** A layer that does not get smaller by compression. */
const layer = (name: string, bytes = 300_000) => tar({ name, data: randomBytes(bytes) });

function pullTest(name: string, body: (store: ImageStore, registry: ScriptedRegistry) => Promise<void>): void {
  storeTest(name, async (store) => {
    mkdirSync(join(store.images, "staging"), { recursive: true });
    const registry = await openRegistry();
    try {
      await body(store, registry);
    } finally {
      await registry.close();
    }
  });
}

const pull = async (store: ImageStore, ...args: string[]) => store.call(["pull", ...args]);

const partials = (store: ImageStore) => {
  const directory = join(store.images, "partial");
  if (!existsSync(directory)) return [];
  return readdirSync(directory).map((name) => ({ name, size: statSync(join(directory, name)).size }));
};

async function refused(store: ImageStore, args: string[], reason: RegExp): Promise<void> {
  const { status, stderr } = await pull(store, ...args);
  assert.equal(status, 125, stderr);
  assert.match(stderr, /^mycontainer: [^\n]*\n$/);
  assert.match(stderr, reason);
  assert.deepEqual(contentsOf(store.images), []);
}

pullTest("an image is pulled, layer by layer, and told as docker tells it", async (store, registry) => {
  const layers = [layer("one"), layer("two"), layer("three")];
  const { digest, layers: digests } = registry.image("team/app:1", layers);
  const { status, stdout, stderr } = await pull(store, `${registry.host}/team/app:1`);
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], "1: Pulling from team/app");
  for (const one of digests) assert.ok(lines.includes(`${one.slice(7, 19)}: Pull complete`), stdout);
  assert.deepEqual(lines.slice(-3), [
    `Digest: ${digest}`,
    `Status: Downloaded newer image for ${registry.host}/team/app:1`,
    `${registry.host}/team/app:1`,
  ]);
  const there = store.layers(`${registry.host}/team/app:1`).map((path) => readdirSync(path));
  assert.deepEqual(there, [["three"], ["two"], ["one"]]);
  for (const one of digests) assert.equal(registry.times(one), 1);
  assert.deepEqual(partials(store), []);
});

pullTest("what is here already is not downloaded again", async (store, registry) => {
  const base = layer("base");
  registry.image("app:1", [base, layer("old")]);
  const { layers } = registry.image("app:2", [base, layer("new")]);
  await pull(store, `${registry.host}/app:1`);
  const again = await pull(store, `${registry.host}/app:1`);
  assert.match(again.stdout, /Status: Image is up to date for/);
  const { stdout } = await pull(store, `${registry.host}/app:2`);
  assert.match(stdout, new RegExp(`${layers[0]?.slice(7, 19)}: Already exists`));
  assert.deepEqual(
    layers.map((one) => registry.times(one)),
    [1, 1],
  );
});

pullTest("quiet prints the name alone, and all tags are pulled if so asked", async (store, registry) => {
  const one = layer("one");
  registry.image("app:1", [one]);
  registry.image("app:2", [one, layer("two")]);
  const { stdout, stderr } = await pull(store, "-q", "-a", `${registry.host}/app`);
  assert.deepEqual([stdout, stderr], [`${registry.host}/app:1\n${registry.host}/app:2\n`, ""]);
});

pullTest("of an index, the image for this machine is taken, or the one that was asked for", async (store, registry) => {
  const own = registry.image("app:own", [layer("own")]);
  const other = registry.image("app:other", [layer("other")], { platform: { os: "linux", architecture: "s390x" } });
  const digest = registry.index("app:all", [other, own]);
  const name = `${registry.host}/app:all`;
  assert.match((await pull(store, name)).stdout, new RegExp(`Digest: ${digest}`));
  assert.deepEqual(
    store.layers(name).map((path) => readdirSync(path)),
    [["own"]],
  );
  assert.equal((await store.call(["inspect", "--type", "image", `${registry.host}/app@${digest}`])).status, 0);
  assert.equal((await pull(store, "--platform", "linux/s390x", name)).status, 0);
  assert.deepEqual(
    store.layers(name).map((path) => readdirSync(path)),
    [["other"]],
  );
  const { stderr } = await pull(store, "--platform", "linux/riscv64", name);
  assert.match(stderr, /no image of .*app:all for linux\/riscv64 — there are images for linux\/s390x, linux\//);
});

pullTest("an image of a digest is that one, or none", async (store, registry) => {
  const { digest } = registry.image("app:1", [layer("one")]);
  const name = `${registry.host}/app@${digest}`;
  const { status, stdout } = await pull(store, name);
  assert.equal(status, 0);
  assert.equal(stdout.trimEnd().split("\n").at(-1), name);
  assert.equal((await store.call(["inspect", "--type", "image", name])).status, 0);
  const images = await store.call(["images"]);
  assert.match(images.stdout, /app\s+<none>/);
});

pullTest("a download that is cut goes on from there", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("one", 3_000_000)]);
  let cuts = 2;
  registry.misbehave((request, response, blob) => {
    if (blob === undefined || blob.length < 1_000_000 || cuts-- <= 0) return false;
    const from = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
    const range = from === 0 ? {} : { "content-range": `bytes ${from}-${blob.length - 1}/${blob.length}` };
    response.writeHead(from === 0 ? 200 : 206, { "content-length": blob.length - from, ...range });
    response.write(blob.subarray(from, from + 1_000_000), () => response.destroy());
    return true;
  });
  const { status, stderr } = await pull(store, `${registry.host}/app:1`);
  assert.equal(status, 0, stderr);
  const ranges = registry.asked.filter(({ path }) => path.endsWith(layers[0] ?? "")).map(({ range }) => range);
  assert.equal(ranges.length, 3);
  assert.equal(ranges[0], undefined);
  for (const range of ranges.slice(1)) assert.match(range ?? "", /^bytes=[1-9]\d*-$/);
});

pullTest("a server that knows no ranges sends all again", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("one", 2_000_000)]);
  let isCut = false;
  registry.misbehave((_, response, blob) => {
    if (blob === undefined || blob.length < 1_000_000) return false;
    response.writeHead(200, { "content-length": blob.length });
    if (isCut) response.end(blob);
    else response.write(blob.subarray(0, 1_000_000), () => response.destroy());
    isCut = true;
    return true;
  });
  const { status, stderr } = await pull(store, `${registry.host}/app:1`);
  assert.equal(status, 0, stderr);
  assert.equal(registry.times(layers[0] ?? ""), 2);
});

pullTest("a pull that was killed leaves what has come, and the next goes on from there", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("small"), layer("large", 4_000_000)]);
  const [small = "", large = ""] = layers;
  let isHeld = true;
  registry.misbehave((request, response, blob) => {
    if (blob === undefined || !isHeld || !request.url?.endsWith(large)) return false;
    response.writeHead(200, { "content-length": blob.length });
    response.write(blob.subarray(0, 2_000_000));
    return true;
  });
  const command = [MYCONTAINER, "pull", `${registry.host}/app:1`];
  const running = start(store.directory, command, { env: store.env });
  await running.sees("stdout", `${small.slice(7, 19)}: Pull complete`);
  running.signal("SIGKILL");
  await running.ended;
  isHeld = false;
  assert.deepEqual(readdirSync(join(store.images, "references")), []);
  const left = partials(store).find(({ name }) => name === large.slice(7));
  assert.ok(left !== undefined, "nothing of the large layer is left");
  const { status, stderr } = await pull(store, `${registry.host}/app:1`);
  assert.equal(status, 0, stderr);
  assert.equal(registry.times(small), 1, "the small layer was downloaded twice");
  const last = registry.asked.filter(({ path }) => path.endsWith(large)).at(-1);
  assert.equal(last?.range, left.size === 0 ? undefined : `bytes=${left.size}-`);
  assert.deepEqual(partials(store), []);
});

pullTest("what was left by another pull and is not what it should be is thrown away", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("one")]);
  mkdirSync(join(store.images, "partial"), { recursive: true });
  writeFileSync(join(store.images, "partial", (layers[0] ?? "").slice(7)), randomBytes(100_000));
  const { status, stderr } = await pull(store, `${registry.host}/app:1`);
  assert.equal(status, 0, stderr);
  assert.deepEqual(
    registry.asked.filter(({ path }) => path.endsWith(layers[0] ?? "")).map(({ range }) => range),
    ["bytes=100000-", undefined],
  );
});

pullTest("two pulls of an image at once download each layer once, and both end well", async (store, registry) => {
  const { layers } = registry.image(
    "app:1",
    Array.from({ length: 8 }, (_, index) => layer(`file${index}`, 1_000_000)),
  );
  const ended = await Promise.all([1, 2].map(() => pull(store, `${registry.host}/app:1`)));
  for (const { status, stderr } of ended) assert.equal(status, 0, stderr);
  assert.deepEqual(
    layers.map((one) => registry.times(one)),
    layers.map(() => 1),
  );
  assert.deepEqual(partials(store), []);
});

pullTest("a layer that is not what its digest says is refused, and nothing of it is left", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("good"), layer("bad")]);
  registry.misbehave((request, response, blob) => {
    if (blob === undefined || !request.url?.endsWith(layers[1] ?? "")) return false;
    const other = Buffer.from(blob);
    other[other.length - 5] = (other[other.length - 5] ?? 0) ^ 1;
    response.writeHead(200, { "content-length": other.length }).end(other);
    return true;
  });
  await refused(store, [`${registry.host}/app:1`], /layer 2 of 2 of .*\/app:1 is (damaged|not what it should be)/);
  assert.ok(!partials(store).some(({ name }) => name === layers[1]?.slice(7)), "the bad layer is kept");
});

pullTest("more bytes than the manifest announces are not taken", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("one")]);
  registry.misbehave((_, response, blob) => {
    if (blob === undefined || digestOf(blob) !== layers[0]) return false;
    response.writeHead(200);
    response.end(Buffer.concat([blob, Buffer.alloc(1)]));
    return true;
  });
  await refused(store, [`${registry.host}/app:1`], /more than the announced \d+ bytes/);
});

pullTest("a manifest that is not what its digest says is refused", async (store, registry) => {
  const { digest } = registry.image("app:1", [layer("one")]);
  registry.misbehave((request, response) => {
    if (!request.url?.endsWith(digest)) return false;
    response.writeHead(200, { "content-type": "application/vnd.oci.image.manifest.v1+json" }).end("{}");
    return true;
  });
  await refused(store, [`${registry.host}/app@${digest}`], /not what it should be/);
});

pullTest("what a registry refuses is told plainly", async (store, registry) => {
  await refused(store, [`${registry.host}/nothing:1`], /nothing:1/);
  let status = 401;
  registry.misbehave((_, response) => {
    response.writeHead(status, { "retry-after": "0" }).end();
    return true;
  });
  await refused(store, [`${registry.host}/app:1`], /login|unauthorized/);
  status = 429;
  await refused(store, [`${registry.host}/app:1`], /too many requests/i);
  const host = registry.host;
  await registry.close();
  await refused(store, [`${host}/app:1`], /connection refused.*is the registry up/);
  await refused(store, ["nosuch.invalid/app:1"], /nosuch\.invalid is not found/);
});

storeTest("certificates are checked, and what is wrong with one is told", async (store) => {
  const { issue, authority } = certificateAuthority(store.directory);
  const trusting = { SSL_CERT_FILE: authority };
  const right = await openRegistry(issue("IP:127.0.0.1"));
  const other = await openRegistry(issue("DNS:other.example"));
  try {
    right.image("app:1", [layer("one")]);
    const attempt = async (host: string, env: Record<string, string>) =>
      store.call(["pull", `${host}/app:1`], { env: { ...store.env, ...env } });
    const good = await attempt(right.host, trusting);
    assert.equal(good.status, 0, good.stderr);
    assert.match((await attempt(other.host, trusting)).stderr, /certificate of 127\.0\.0\.1:\d+ is for another name/);
    assert.match(
      (await attempt(right.host, {})).stderr,
      /certificate of .* is signed by an authority that is not trusted/,
    );
  } finally {
    await Promise.all([right.close(), other.close()]);
  }
});

pullTest("a terminal gets a bar for each layer", async (store, registry) => {
  const { layers } = registry.image("app:1", [layer("one", 2_000_000)]);
  const held = holdHalf(registry, layers[0]);
  const terminal = startOnTerminal(store.directory, [MYCONTAINER, "pull", `${registry.host}/app:1`], {
    env: store.env,
  });
  await terminal.sees("stdout", /Downloading \[=+> +\] {2}\d/);
  held.goOn();
  const { status, stdout } = await terminal.ended;
  assert.equal(status, 0, stdout);
  assert.match(stdout, /Pull complete/);
});
