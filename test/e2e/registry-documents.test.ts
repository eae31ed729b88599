/** Manifests, indexes and configurations that a registry has made to do harm (docs/security.md, E4). */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ARCHITECTURE, describe, digestOf, TYPE } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { openRegistry, type ScriptedRegistry } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

type Json = Record<string, unknown>;
/** What of an image is other than it should be: each has the last word on its part. */
type Change = {
  config?: (config: Json) => Json | string;
  manifest?: (manifest: Json) => Json | string;
  /** What the registry calls the manifest. */
  type?: string;
  layers?: Buffer[];
};

const LAYER = tar({ name: "file", data: "data" });
const PLATFORM = { os: "linux", architecture: ARCHITECTURE };
const text = (value: Json | string) => (typeof value === "string" ? value : JSON.stringify(value));
/** A list of members as JSON, which may have a name twice. */
const members = (...pairs: [name: string, value: unknown][]) =>
  `{${pairs.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;

/** Puts in `app:1`; its manifest. */
function image(registry: ScriptedRegistry, { config, manifest, type, layers = [LAYER] }: Change = {}): string {
  const plain: Json = { ...PLATFORM, config: {}, rootfs: { type: "layers", diff_ids: layers.map(digestOf) } };
  const configText = text(config?.(plain) ?? plain);
  registry.blob(configText);
  const packed = layers.map((layer) => gzipSync(layer, { level: 1 }));
  for (const blob of packed) registry.blob(blob);
  const honest: Json = {
    schemaVersion: 2,
    mediaType: TYPE.manifest,
    config: describe(TYPE.config, configText),
    layers: packed.map((blob) => describe(`${TYPE.layer}+gzip`, blob)),
  };
  const manifestText = text(manifest?.(honest) ?? honest);
  registry.document("app:1", type ?? TYPE.manifest, manifestText);
  return manifestText;
}

/** Changes the descriptor of a manifest's first layer. */
const layerWith = (change: Json) => ({
  manifest: (manifest: Json) => ({
    ...manifest,
    layers: (manifest["layers"] as Json[]).map((one) => ({ ...one, ...change })),
  }),
});
const configWith = (change: Json) => ({
  manifest: (manifest: Json) => ({ ...manifest, config: { ...(manifest["config"] as Json), ...change } }),
});
const sizeOf = (name: "config" | "layers", more: number): Change => ({
  manifest: (manifest) => {
    const resized = (one: Json) => ({ ...one, size: (one["size"] as number) + more });
    const part = manifest[name];
    return { ...manifest, [name]: Array.isArray(part) ? part.map(resized) : resized(part as Json) };
  },
});

const DIGESTS = [
  "sha256:../../x",
  `sha256:${"../".repeat(21)}x`,
  `sha256:${"A".repeat(64)}`,
  `SHA256:${"a".repeat(64)}`,
  `sha256:${"a".repeat(63)}`,
  `sha256:${"a".repeat(64)}\n`,
  `sha512:${"a".repeat(128)}`,
  `md5:${"a".repeat(32)}`,
  "",
  7,
  null,
];

const HOSTILE: [title: string, reason: RegExp, change: Change][] = [
  [
    "a manifest that is an index, too",
    /ambiguous: an manifest has no 'manifests'/,
    { manifest: (m) => ({ ...m, manifests: [] }) },
  ],
  ["a manifest of two schemas", /ambiguous.* 'fsLayers'/, { manifest: (m) => ({ ...m, fsLayers: [] }) }],
  ["a manifest of the first schema", /unknown version/, { manifest: (m) => ({ ...m, schemaVersion: 1 }) }],
  ["names in other letters", /ambiguous: 'Layers' is 'layers' to some/, { manifest: (m) => ({ ...m, Layers: [] }) }],
  ["layers twice", /layers is there twice/, { manifest: (m) => members(...Object.entries(m), ["layers", []]) }],
  [
    "a digest twice",
    /digest is there twice/,
    { manifest: (m) => text(m).replace('"digest"', '"digest":"x","digest"') },
  ],
  [
    "a configuration with two lists",
    /diff_ids is there twice/,
    { config: (c) => text(c).replace('"diff_ids"', '"diff_ids":[],"diff_ids"') },
  ],
  ["a type that it does not have", /announced as .*index.* and calls itself .*manifest/, { type: TYPE.index }],
  ["a type of something else", /no image of a container, but text\/html/, { type: "text/html" }],
  ["no type", /unknown type/, { type: "" }],
  ["an artifact", /no image of a container, but application\/x/, configWith({ mediaType: "application/x" })],
  ["a layer of an unknown type", /unknown type application\/x/, layerWith({ mediaType: "application/x" })],
  [
    "a type with what a terminal acts on",
    /no image of a container, but [ -~]*31mred/,
    configWith({ mediaType: "\n\u001b[31mred" }),
  ],
  ...DIGESTS.map((digest): [string, RegExp, Change] => [
    `the digest ${digest} of a layer`,
    /digest is not of the form|not Unicode|NUL/,
    layerWith({ digest }),
  ]),
  ...DIGESTS.map((digest): [string, RegExp, Change] => [
    `the digest ${digest} of a configuration`,
    /digest is not of the form/,
    configWith({ digest }),
  ]),
  ["a size that is negative", /is no size/, layerWith({ size: -1 })],
  ["a size that is no whole number", /is no size/, layerWith({ size: 1.5 })],
  ["a size that is a text", /is no size/, layerWith({ size: "100" })],
  [
    "a size that no number holds",
    /is no size/,
    { manifest: (m) => text(m).replace(/"size":\d+/, '"size":18446744073709551615') },
  ],
  ["a layer that is shorter than announced", /bytes .*have come|bytes.* announced/, sizeOf("layers", 1)],
  ["a layer that is longer than announced", /more than the announced/, sizeOf("layers", -1)],
  ["a configuration that is shorter than announced", /announced/, sizeOf("config", 1)],
  ["a configuration that is longer than announced", /more than the announced/, sizeOf("config", -1)],
  ["a configuration of 5 MiB", /larger than \d+ bytes/, sizeOf("config", 5 << 20)],
  ["129 layers", /129 items, more than 128/, { layers: Array.from({ length: 129 }, () => LAYER) }],
  [
    "more layers than the configuration has",
    /1 layers, its configuration 0/,
    { config: (c) => ({ ...c, rootfs: { type: "layers", diff_ids: [] } }) },
  ],
  [
    "layers that are not the configuration's",
    /unpacked it is sha256:/,
    { config: (c) => ({ ...c, rootfs: { type: "layers", diff_ids: [digestOf("x")] } }) },
  ],
  [
    "a configuration of a path",
    /not of the form/,
    { config: (c) => ({ ...c, rootfs: { type: "layers", diff_ids: ["sha256:../../x"] } }) },
  ],
  ["a configuration without layers", /names no layers/, { config: () => "{}" }],
  ["a configuration that is no object", /no object/, { config: () => "[]" }],
  ["a command with NUL", /NUL/, { config: (c) => ({ ...c, config: { Cmd: ["a\0b"] } }) }],
  ["another system's image", /is for windows/, { config: (c) => ({ ...c, os: "windows" }) }],
  ["a manifest that is no JSON", /damaged: line 1, column 1: expected/, { manifest: () => "<html>" }],
  ["a manifest of nothing", /damaged: line 1/, { manifest: () => "" }],
  ["a manifest that is no object", /is no object/, { manifest: () => "[]" }],
  [
    "a depth of 100,000",
    /more than 64 arrays/,
    { manifest: (m) => text(m).replace("{", `{"deep":${"[".repeat(1e5)}${"]".repeat(1e5)},`) },
  ],
  [
    "a million members",
    /more than 65536 fields/,
    { manifest: (m) => text(m).replace("{", `{${Array.from({ length: 70_000 }, (_, at) => `"m${at}":0`).join(",")},`) },
  ],
  [
    "a manifest of 5 MiB",
    /larger than it may be/,
    { manifest: (m) => text({ ...m, annotations: { a: "x".repeat(5 << 20) } }) },
  ],
];

async function refused(store: ImageStore, title: string, name: string, reason: RegExp): Promise<void> {
  const { status, stderr } = await store.call(["pull", name]);
  assert.equal(status, 125, `${title}: ${stderr}`);
  assert.match(stderr, /^mycontainer: [^\n]*\n$/, title);
  assert.match(stderr, reason, title);
  assert.deepEqual(contentsOf(store.images), [], title);
  const partial = join(store.images, "partial");
  if (existsSync(partial))
    assert.deepEqual(
      readdirSync(partial).filter((entry) => !/^[0-9a-f]{64}$/.test(entry)),
      [],
      title,
    );
}

function registryTest(name: string, body: (store: ImageStore, registry: ScriptedRegistry) => Promise<void>): void {
  storeTest(name, async (store) => {
    assert.equal((await store.call(["import", store.file(LAYER), "first"])).status, 0);
    assert.equal((await store.call(["rmi", "first"])).status, 0);
    const registry = await openRegistry();
    try {
      await body(store, registry);
    } finally {
      await registry.close();
    }
  });
}

registryTest(
  "documents that two readers could take for two things, or that lie, are refused",
  async (store, registry) => {
    for (const [title, reason, change] of HOSTILE) {
      image(registry, change);
      await refused(store, title, `${registry.host}/app:1`, reason);
    }
    image(registry);
    const { status, stderr } = await store.call(["pull", `${registry.host}/app:1`]);
    assert.equal(status, 0, `and the honest one is pulled: ${stderr}`);
  },
);

registryTest("an index has to be right about what it leads to", async (store, registry) => {
  const manifest = image(registry);
  const honest = { ...describe(TYPE.manifest, manifest), platform: PLATFORM };
  const index = (...manifests: Json[]) => text({ schemaVersion: 2, mediaType: TYPE.index, manifests });
  const name = `${registry.host}/app:all`;
  const cases: [string, RegExp, string][] = [
    ["a size that is too small", /bytes, \d+ were announced/, index({ ...honest, size: honest.size - 1 })],
    ["a size that is too large", /bytes, \d+ were announced/, index({ ...honest, size: honest.size + 1 })],
    [
      "a type of docker's",
      /was announced as application\/vnd.docker/,
      index({ ...honest, mediaType: "application/vnd.docker.distribution.manifest.v2+json" }),
    ],
    ["a digest of another", /there is no image/, index({ ...honest, digest: digestOf("x") })],
    ["a path for a digest", /not of the form/, index({ ...honest, digest: "sha256:../../x" })],
    ["layers of its own", /ambiguous: an index has no 'layers'/, index(honest).replace("{", '{"layers":[],')],
    ["itself", /there is no image/, index({ ...honest, mediaType: TYPE.index, digest: digestOf("self") })],
    ["1,001 manifests", /1001 items/, index(...Array.from({ length: 1001 }, () => honest))],
  ];
  for (const [title, reason, document] of cases) {
    registry.document("app:all", TYPE.index, document);
    await refused(store, title, name, reason);
  }
  let inner = index(honest);
  for (let depth = 0; depth < 4; depth++) {
    registry.document("app:all", TYPE.index, inner);
    inner = index({ ...describe(TYPE.index, inner), platform: PLATFORM });
  }
  registry.document("app:all", TYPE.index, inner);
  await refused(store, "five indexes in one another", name, /too many indexes/);
  registry.document("app:all", TYPE.index, index(honest));
  assert.equal((await store.call(["pull", name])).status, 0);
});

registryTest("what a registry says of a digest is a claim", async (store, registry) => {
  const manifest = image(registry);
  registry.misbehave((request, response) => {
    if (!request.url?.includes("/manifests/")) return false;
    const claim = { "docker-content-digest": digestOf("another") };
    response.writeHead(200, { "content-type": TYPE.manifest, ...claim }).end(manifest);
    return true;
  });
  await refused(store, "another digest in a header", `${registry.host}/app:1`, /its digest is sha256:.*, not sha256:/);
});

registryTest("layers are got from the registry alone, whatever else they name", async (store, registry) => {
  const other = await openRegistry();
  try {
    const urls = [`http://${other.host}/layer`, "file:///etc/passwd"];
    const foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    image(registry, layerWith({ urls, mediaType: foreign, data: "AAAA" }));
    const { status, stderr } = await store.call(["pull", `${registry.host}/app:1`]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(other.asked, []);
  } finally {
    await other.close();
  }
});

registryTest("lists of tags are lists of tags", async (store, registry) => {
  image(registry);
  const lists: [string, RegExp][] = [
    ["<html>", /list of tags of app is no JSON/],
    ["[]", /list of tags of app is none/],
    ['{"tags":["../../x"]}', /which is no tag/],
    ['{"tags":["a\\u001b[31m"]}', /which is no tag/],
    ['{"tags":[{}]}', /which is no tag/],
    ['{"tags":null}', /there are no tags/],
  ];
  for (const [list, reason] of lists) {
    registry.misbehave((request, response) => {
      if (!request.url?.includes("/tags/list")) return false;
      response.end(list);
      return true;
    });
    const { status, stderr } = await store.call(["pull", "-a", `${registry.host}/app`]);
    assert.equal(status, 125, list);
    assert.match(stderr, /^mycontainer: [^\n]*\n$/);
    assert.match(stderr, reason);
  }
});
