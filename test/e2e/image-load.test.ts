/** Archives of images: as other tools write them, and as nobody should. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ARCHITECTURE, describe, digestOf, TYPE } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { type TarEntry, tar } from "./tar.ts";

const NAME = "docker.io/library/made:1";

/** A tree as one stream of bytes: all that tar knows of files, in the order of their names. */
function treeOf(command: string[]): string {
  const [program = "", ...args] = command;
  const flags = "--sort=name --numeric-owner --xattrs --xattrs-include=user.* --xattrs-include=security.capability";
  const options = `${flags} --format=posix --pax-option=delete=atime,delete=ctime,exthdr.name=x`.split(" ");
  return digestOf(execFileSync(program, [...args, "tar", ...options, "-c", "."], { maxBuffer: 1 << 28 }));
}

type Layout = { entries: TarEntry[]; descriptor: { mediaType: string; digest: string; size: number } };

const blob = (data: Buffer | string): TarEntry => ({ name: `blobs/sha256/${digestOf(data).slice(7)}`, data });

/** The blobs of an image with these layers; `change` has the last word on the manifest. */
function image(layers: Buffer[], change: (manifest: object) => object = (same) => same): Layout {
  const config = JSON.stringify({
    architecture: ARCHITECTURE,
    os: "linux",
    config: { Cmd: ["sh"] },
    rootfs: { type: "layers", diff_ids: layers.map(digestOf) },
  });
  const manifest = JSON.stringify(
    change({
      schemaVersion: 2,
      mediaType: TYPE.manifest,
      config: describe(TYPE.config, config),
      layers: layers.map((layer) => describe(TYPE.layer, layer)),
    }),
  );
  const entries = [...new Map([config, manifest, ...layers].map((data) => [digestOf(data), blob(data)])).values()];
  return { entries, descriptor: describe(TYPE.manifest, manifest) };
}

const named = { annotations: { "io.containerd.image.name": NAME } };

function archive(entries: TarEntry[], manifests: object[], index: object = {}): Buffer {
  const text = JSON.stringify({ schemaVersion: 2, mediaType: TYPE.index, manifests, ...index });
  return tar({ name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' }, ...entries, {
    name: "index.json",
    data: text,
  });
}

async function refused(store: ImageStore, data: Buffer, reason: RegExp): Promise<void> {
  const { status, stderr } = await store.call(["load", store.file(data)]);
  assert.equal(status, 125, stderr);
  assert.match(stderr, /^mycontainer: [^\n]*\n$/);
  assert.match(stderr, reason);
  assert.deepEqual(contentsOf(store.images), []);
}

const files = (...names: string[]) => tar(...names.map((name) => ({ name, data: name })));

storeTest("the layers of an image hide and replace what is below them as umoci has it", async (store) => {
  const layers = [
    tar(
      { name: "etc", type: "5", mode: 0o750, uid: 7, mtime: 1e9 },
      ...["etc/a", "etc/b", "kept", "gone", "was-file"].map((name) => ({ name, data: name })),
      ...["hidden", "was-directory", "opaque"].map((name) => ({ name, type: "5", mode: 0o755 })),
      ...["hidden/x", "was-directory/x", "opaque/x"].map((name) => ({ name, data: name })),
    ),
    tar(
      { name: ".wh.gone", data: "" },
      { name: ".wh.hidden", data: "" },
      // etc itself is not in this layer: it stays as it was.
      { name: "etc/.wh.a", data: "" },
      { name: "etc/c", data: "c" },
      { name: "was-directory", data: "now a file" },
      { name: "was-file", type: "5", mode: 0o700 },
      { name: "was-file/y", data: "y" },
      { name: "opaque", type: "5", mode: 0o711 },
      { name: "opaque/.wh..wh..opq", data: "" },
      { name: "opaque/y", data: "y" },
    ),
    files("etc/d", "new/deep/file"),
  ];
  const made = image(layers);
  const data = archive(made.entries, [{ ...made.descriptor, ...named }]);
  const { status, stdout, stderr } = await store.call(["load", "-i", store.file(data)]);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "Loaded image: made:1\n");

  const mounted = join(store.directory, "merged");
  mkdirSync(mounted);
  const script = `mount -t overlay overlay -o lowerdir=${store.layers(NAME).join(":")} ${mounted} && cd ${mounted} && exec "$@"`;
  const listing = (command: string[]) =>
    execFileSync("unshare", ["-m", "sh", "-c", script, "sh", ...command], { encoding: "utf8" });
  assert.equal(
    listing(["find", ".", "-printf", "%P %y %m %U\n"]).split("\n").sort().join("\n").trim(),
    [
      " d 755 0",
      "etc d 750 7",
      "etc/b f 644 0",
      "etc/c f 644 0",
      "etc/d f 644 0",
      "kept f 644 0",
      "new d 755 0",
      "new/deep d 755 0",
      "new/deep/file f 644 0",
      "opaque d 711 0",
      "opaque/y f 644 0",
      "was-directory f 644 0",
      "was-file d 700 0",
      "was-file/y f 644 0",
    ]
      .join("\n")
      .trim(),
  );

  const layout = join(store.directory, "layout");
  mkdirSync(layout);
  const annotated = { ...made.descriptor, annotations: { "org.opencontainers.image.ref.name": "made" } };
  execFileSync("tar", ["-x", "-C", layout], { input: archive(made.entries, [annotated]) });
  execFileSync("umoci", ["unpack", "--image", `${layout}:made`, join(store.directory, "umoci")]);
  const theirs = execFileSync("find", [".", "-printf", "%P %y %m\n"], {
    cwd: join(store.directory, "umoci/rootfs"),
    encoding: "utf8",
  });
  assert.deepEqual(
    listing(["find", ".", "-type", "f", "-printf", "%P %y %m\n"]).split("\n").sort(),
    theirs
      .split("\n")
      .filter((line) => !/ d \d+$/.test(line))
      .sort(),
  );
});

storeTest("what skopeo writes comes back as it was, and skopeo reads the store", async (store) => {
  const root = join(store.directory, "root");
  for (const path of ["bin", "tmp"]) mkdirSync(join(root, path), { recursive: true });
  cpSync("/bin/busybox", join(root, "bin/sh"));
  writeFileSync(join(root, "etc"), "text");
  const rootArchive = join(store.directory, "root.tar");
  execFileSync("tar", ["-C", root, "--owner=5", "--group=6", "-cf", rootArchive, "."]);
  assert.equal((await store.call(["import", "-c", "ENV A=B", rootArchive, "me/first:1"])).status, 0);
  const [layer = ""] = store.layers("docker.io/me/first:1");
  const expected = treeOf(["env", "-C", layer]);

  const ours = `oci:${store.images}:me/first:1`;
  for (const [kind, flags] of [
    ["docker-archive", []],
    ["oci-archive", []],
    ["oci-archive", ["--dest-compress-format=zstd"]],
  ] as const) {
    const path = join(store.directory, "skopeo.tar");
    rmSync(path, { force: true });
    execFileSync("skopeo", ["copy", "--quiet", "--insecure-policy", ...flags, ours, `${kind}:${path}:me/second:2`]);
    const { status, stdout, stderr } = await store.call(["load", path]);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "Loaded image: me/second:2\n");
    const [again = ""] = store.layers("docker.io/me/second:2");
    assert.equal(treeOf(["env", "-C", again]), expected, kind);
  }
  const { stdout } = await store.call(["images", "--format", "json"]);
  assert.equal(
    new Set(
      stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { ID: string }).ID),
    ).size,
    1,
  );
});

storeTest("of an image for several platforms, this machine's is loaded", async (store) => {
  const [mine, other] = [image([files("mine")]), image([files("other")])];
  const inner = JSON.stringify({
    schemaVersion: 2,
    mediaType: TYPE.index,
    manifests: [
      { ...other.descriptor, platform: { os: "linux", architecture: "s390x" } },
      { ...mine.descriptor, platform: { os: "linux", architecture: ARCHITECTURE } },
      { ...other.descriptor, platform: { os: "unknown", architecture: "unknown" } },
    ],
  });
  const data = archive(
    [...mine.entries, ...other.entries, blob(inner)],
    [{ ...describe(TYPE.index, inner), ...named }],
  );
  const { status, stderr } = await store.call(["load", store.file(data)]);
  assert.equal(status, 0, stderr);
  const [layer = ""] = store.layers(NAME);
  assert.equal(readFileSync(join(layer, "mine"), "utf8"), "mine");
  await store.call(["rmi", "made:1"]);
  const foreign = [{ ...other.descriptor, ...named, platform: { os: "linux", architecture: "s390x" } }];
  await refused(store, archive(other.entries, foreign), /no image for linux\/.*only for linux\/s390x/);
});

storeTest("one layer may be in an image twice, and in several images", async (store) => {
  const [empty, one] = [tar({ name: "d", type: "5" }), files("one")];
  const [first, second] = [image([empty, one, empty]), image([one, empty])];
  const tag = (name: string) => ({ annotations: { "io.containerd.image.name": name } });
  const entries = [...new Map([...first.entries, ...second.entries].map((entry) => [entry.name, entry])).values()];
  const data = archive(entries, [
    { ...first.descriptor, ...tag("a:1") },
    { ...second.descriptor, ...tag("b:1") },
  ]);
  assert.equal((await store.call(["load", store.file(data)])).stdout, "Loaded image: a:1\nLoaded image: b:1\n");
  assert.equal((await store.call(["load", store.file(data)])).status, 0, "a second time");
  assert.equal((await store.call(["rmi", "a:1"])).status, 0);
  assert.equal(contentsOf(store.images).filter((path) => path.startsWith("layers/")).length, 2);
  assert.equal((await store.call(["rmi", "b:1"])).status, 0);
  assert.deepEqual(contentsOf(store.images), []);
});

storeTest("an archive whose parts do not fit together is refused", async (store) => {
  const { entries, descriptor } = image([files("a")]);
  const all = (change: object, more: TarEntry[] = []) =>
    archive([...entries, ...more], [{ ...descriptor, ...named, ...change }]);
  await refused(store, all({ digest: "sha256:../../x" }), /digest/);
  await refused(store, all({ digest: `sha256:${"0".repeat(64)}` }), /missing/);
  await refused(store, all({ size: descriptor.size + 1 }), /another digest or size/);
  await refused(store, all({ mediaType: TYPE.index }), /announced as/);
  await refused(store, all({ mediaType: "text/html" }), /no image/);
  const swapped = entries.map((entry, at) => ({ ...entry, data: at === 2 ? files("b") : (entry.data ?? "") }));
  await refused(store, archive(swapped, [{ ...descriptor, ...named }]), /another digest or size/);
  await refused(store, archive([...entries, ...entries.slice(0, 1)], [{ ...descriptor, ...named }]), /twice/);
  await refused(store, all({}, [{ name: "device", type: "3", device: [1, 3] }]), /no archive of images/);
  await refused(store, archive(entries, [descriptor], { layers: [] }), /ambiguous/);
  await refused(store, files("x"), /neither manifest.json nor index.json/);
  const { entries: both, descriptor: ambiguous } = image([files("a")], (manifest) => ({ ...manifest, manifests: [] }));
  await refused(store, archive(both, [{ ...ambiguous, ...named }]), /ambiguous/);
  const many = image(Array.from({ length: 129 }, () => files("a")));
  await refused(store, archive(many.entries, [{ ...many.descriptor, ...named }]), /more than 128/);
});

storeTest(
  "a layer that is not what the configuration says is refused, and the store stays as it was",
  async (store) => {
    const good = files("a");
    const { entries, descriptor } = image([good], (manifest) => {
      const packed = gzipSync(files("b"));
      return { ...manifest, layers: [describe(`${TYPE.layer}+gzip`, packed)] };
    });
    const packed = blob(gzipSync(files("b")));
    await refused(
      store,
      archive([...entries, packed], [{ ...descriptor, ...named }]),
      /not what it should be: unpacked it is/,
    );
  },
);

storeTest("a docker archive of damaged parts is refused", async (store) => {
  const layer = files("a");
  const config = JSON.stringify({ rootfs: { type: "layers", diff_ids: [digestOf(layer)] } });
  const name = `${digestOf(config).slice(7)}.json`;
  const docker = (manifest: unknown, ...entries: TarEntry[]) =>
    tar(...entries, { name: "manifest.json", data: JSON.stringify(manifest) });
  const item = { Config: name, RepoTags: ["made:1"], Layers: ["x/layer.tar"] };
  const parts: TarEntry[] = [
    { name, data: config },
    { name: "x/layer.tar", type: "2", link: "../y/layer.tar" },
    { name: "y/layer.tar", data: layer },
  ];
  await refused(store, docker({}, ...parts), /names no images/);
  await refused(store, docker([{ ...item, Config: 1 }], ...parts), /not of the form/);
  await refused(store, docker([{ ...item, Config: "../../x" }], ...parts), /missing/);
  await refused(store, docker([{ ...item, RepoTags: ["../x"] }], ...parts), /invalid image name/);
  await refused(store, docker([{ ...item, Layers: [] }], ...parts), /names 0 layers/);
  await refused(store, docker([item], ...parts.slice(0, 2)), /missing/);
  await refused(store, docker([item], { name, data: `${config} ` }, ...parts.slice(1)), /another digest/);
  const loop = [parts[0] ?? { name }, { name: "x/layer.tar", type: "2", link: "layer.tar" }];
  await refused(store, docker([item], ...loop), /missing/);
  const { status, stdout } = await store.call(["load", store.file(docker([item], ...parts))]);
  assert.deepEqual([status, stdout], [0, "Loaded image: made:1\n"]);
});
