import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { parseConfiguration, parseIndex, parseManifest, pickPlatform } from "../../../src/image/manifest.ts";
import { MEDIA } from "../../../src/image/media.ts";
import { followLink } from "../../../src/image/members.ts";
import { nameIn } from "../../../src/image/oci-archive.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const config = { mediaType: MEDIA.config, digest: DIGEST, size: 10 };
const layer = { mediaType: MEDIA.layer, digest: DIGEST, size: 10 };
const manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: [layer] };
const index = {
  schemaVersion: 2,
  mediaType: MEDIA.index,
  manifests: [{ mediaType: MEDIA.manifest, digest: DIGEST, size: 1 }],
};
const text = (value: unknown) => JSON.stringify(value);

test("a manifest has a configuration and layers", () => {
  const parsed = parseManifest(text(manifest), MEDIA.manifest, "it");
  assert.equal(parsed.config.digest, DIGEST);
  assert.equal(parsed.layers.length, 1);
});

test("what could be a manifest and an index at the same time is refused", () => {
  const refused: [unknown, string][] = [
    [{ ...manifest, manifests: [] }, MEDIA.manifest],
    [{ ...manifest, mediaType: MEDIA.index }, MEDIA.manifest],
    [{ ...manifest, fsLayers: [] }, MEDIA.manifest],
    [manifest, MEDIA.index],
    [{ ...manifest, mediaType: undefined }, MEDIA.index],
  ];
  for (const [document, announced] of refused) {
    assert.throws(() => parseManifest(text(document), announced, "it"), Failure, text(document));
  }
  assert.throws(() => parseIndex(text({ ...index, layers: [] }), MEDIA.index, "it"), /ambiguous/);
  assert.throws(() => parseIndex(text({ ...index, config }), MEDIA.index, "it"), /ambiguous/);
  assert.throws(() => parseIndex(text(manifest), undefined, "it"), /ambiguous|no index/);
});

test("digests, sizes and numbers of layers are checked before any use", () => {
  const layers = (...list: unknown[]) => text({ ...manifest, layers: list });
  for (const bad of [
    layers({ ...layer, digest: "sha256:../../x" }),
    layers({ ...layer, digest: `sha512:${"a".repeat(128)}` }),
    layers({ ...layer, size: -1 }),
    layers({ ...layer, size: 2 ** 60 }),
    layers({ ...layer, size: "10" }),
    layers({ ...layer, mediaType: "text/html" }),
    layers(...Array.from({ length: 129 }, () => layer)),
    layers(null),
    text({ ...manifest, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } }),
    text({ ...manifest, schemaVersion: 1 }),
    "[]",
    "null",
    "{",
    "",
  ])
    assert.throws(() => parseManifest(bad, MEDIA.manifest, "it"), Failure, bad.slice(0, 80));
  assert.equal(
    parseManifest(layers(...Array.from({ length: 128 }, () => layer)), MEDIA.manifest, "it").layers.length,
    128,
  );
});

test("a configuration is read field by field, and nulls are what is not there", () => {
  const parsed = parseConfiguration(
    text({
      architecture: "amd64",
      os: "linux",
      created: "2024-01-02T03:04:05.123456789Z",
      config: { User: "", Env: null, Cmd: ["sh"], Labels: null, Volumes: { "/v": {} }, Unknown: 1 },
      rootfs: { type: "layers", diff_ids: [DIGEST] },
    }),
    "it",
  );
  assert.deepEqual(parsed.config, { Cmd: ["sh"], Volumes: { "/v": {} } });
  assert.equal(parsed.createdMs, Date.UTC(2024, 0, 2, 3, 4, 5, 123));
});

test("fields of the wrong type are refused", () => {
  const rootfs = { type: "layers", diff_ids: [DIGEST] };
  for (const config of [
    { User: 1 },
    { Env: "A=1" },
    { Env: [1] },
    { Cmd: {} },
    { Labels: [] },
    { Labels: { a: 1 } },
    { User: "a\0b" },
    [],
  ])
    assert.throws(() => parseConfiguration(text({ config, rootfs }), "it"), Failure, text(config));
  for (const rootfs of [undefined, {}, { type: "layers", diff_ids: ["x"] }, { type: "layers", diff_ids: {} }])
    assert.throws(() => parseConfiguration(text({ rootfs }), "it"), Failure, text(rootfs));
});

test("any JSON is an index, a manifest, a configuration or a failure", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      for (const parse of [
        () => parseIndex(json, undefined, "it"),
        () => parseManifest(json, MEDIA.manifest, "it"),
        () => parseConfiguration(json, "it"),
      ]) {
        try {
          parse();
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      }
    }),
  );
});

test("of several platforms, this machine's is picked, and none if there is none", () => {
  const of = (os: string, architecture: string) => ({ ...layer, platform: { os, architecture }, annotations: {} });
  const list = [of("windows", "amd64"), of("linux", "arm64"), of("linux", "amd64"), of("unknown", "unknown")];
  assert.equal(pickPlatform(list, "amd64"), list[2]);
  assert.equal(pickPlatform(list, "riscv64"), undefined);
});

test("links in an archive stay in the archive", () => {
  assert.equal(followLink("abc/layer.tar", "../def/layer.tar"), "def/layer.tar");
  assert.equal(followLink("a", "./b"), "b");
  assert.equal(followLink("a/b", "/c"), "c");
  assert.equal(followLink("a/b", "../../etc/passwd"), undefined);
});

test("a tag alone is no name of an image", () => {
  assert.equal(nameIn({ "org.opencontainers.image.ref.name": "latest" }), undefined);
  assert.equal(nameIn({ "org.opencontainers.image.ref.name": "me/app:1" }), "docker.io/me/app:1");
  assert.equal(
    nameIn({ "org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "quay.io/a:1" }),
    "quay.io/a:1",
  );
});
