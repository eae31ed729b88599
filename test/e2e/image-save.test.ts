/** `save`: what it writes, others take, and so do we. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MYCONTAINER, startOnTerminal } from "./harness.ts";
import { type Compression, layerOf, layoutOf } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";

async function succeed(store: ImageStore, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await store.call(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** A second, empty store beside the test's own. */
const otherStore = (store: ImageStore) => ({ MYCONTAINER_ROOT: join(store.directory, "other") });

const images = (store: ImageStore, env = {}) =>
  store.call(["images", "--no-trunc", "--digests", "--format", "json"], { env }).then(({ stdout }) =>
    stdout
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, string>),
  );

storeTest(
  "an image comes back from an archive as it was, with its names and digests, whatever its layers are",
  async (store) => {
    for (const compression of ["none", "gzip", "zstd"] satisfies Compression[]) {
      const name = `docker.io/library/made:${compression}`;
      const layers = [layerOf("a", "b"), layerOf("c"), layerOf("c")];
      const { archive } = layoutOf({ name, layers, compression, created: "2020-01-02T03:04:05Z" });
      await succeed(store, "load", "-q", "-i", store.file(archive));
    }
    await succeed(store, "tag", "made:gzip", "me/second:1");
    const before = await images(store);
    for (const format of ["docker-archive", "oci-archive"]) {
      const path = join(store.directory, `${format}.tar`);
      await succeed(store, "save", "--format", format, "-o", path, "made", "me/second:1");
      const env = otherStore(store);
      const { status, stdout, stderr } = await store.call(["load", path], { env });
      assert.equal(status, 0, stderr);
      assert.deepEqual(stdout.trim().split("\n").sort(), [
        "Loaded image: made:gzip",
        "Loaded image: made:none",
        "Loaded image: made:zstd",
        "Loaded image: me/second:1",
      ]);
      const key = ({ Repository, Tag }: Record<string, string>) => `${Repository}:${Tag}`;
      const byName = (list: Record<string, string>[]) => list.sort((a, b) => (key(a) < key(b) ? -1 : 1));
      assert.deepEqual(byName(await images(store, env)), byName(before), format);
      await store.call(["rmi", "-f", "made:gzip", "made:none", "made:zstd", "me/second:1"], { env });
    }
  },
);

storeTest("skopeo and umoci take both formats", async (store) => {
  const layers = [layerOf("a", "b"), layerOf("c")];
  const { archive, digests } = layoutOf({ name: "docker.io/library/made:1", layers, compression: "gzip" });
  await succeed(store, "load", "-q", "-i", store.file(archive));
  for (const format of ["docker-archive", "oci-archive"]) {
    const path = join(store.directory, "saved.tar");
    await succeed(store, "save", "--format", format, "-o", path, "made:1");
    const layout = join(store.directory, `layout-${format}`);
    const copy = ["copy", "--quiet", "--insecure-policy", `${format}:${path}:made:1`, `oci:${layout}:made`];
    execFileSync("skopeo", copy);
    const raw = execFileSync("skopeo", ["inspect", "--raw", "--config", `oci:${layout}:made`]);
    assert.deepEqual(JSON.parse(raw.toString()).rootfs.diff_ids.length, 2);
    const bundle = join(store.directory, `umoci-${format}`);
    execFileSync("umoci", ["unpack", "--image", `${layout}:made`, bundle]);
    assert.deepEqual(readdirSync(join(bundle, "rootfs")).sort(), ["a", "b", "c"]);
    // The archive is an OCI layout as it is, too, in either format.
    const unpacked = join(store.directory, `unpacked-${format}`);
    mkdirSync(unpacked);
    execFileSync("tar", ["-C", unpacked, "-xf", path]);
    const inspected = execFileSync("skopeo", ["inspect", `oci:${unpacked}:made:1`], { encoding: "utf8" });
    assert.equal(JSON.parse(inspected).Digest, digests[0]?.manifest);
    assert.equal(existsSync(join(unpacked, "manifest.json")), format === "docker-archive");
  }
});

storeTest("a name without a tag is all its tags, an id none; the same image makes the same bytes", async (store) => {
  const { archive, digests } = layoutOf(
    { name: "docker.io/library/made:1", layers: [layerOf("a")] },
    { name: "docker.io/library/made:2", layers: [layerOf("a"), layerOf("b")] },
    { name: "docker.io/library/other:1", layers: [layerOf("a")] },
  );
  await succeed(store, "load", "-q", "-i", store.file(archive));
  const manifest = async (...names: string[]) => {
    const path = join(store.directory, "saved.tar");
    await succeed(store, "save", "-o", path, ...names);
    const text = execFileSync("tar", ["-xOf", path, "manifest.json"], { encoding: "utf8" });
    return (JSON.parse(text) as { RepoTags: string[] | null }[]).map(({ RepoTags }) => RepoTags);
  };
  assert.deepEqual(await manifest("made"), [["made:1"], ["made:2"]]);
  assert.deepEqual(await manifest("made:2"), [["made:2"]]);
  assert.deepEqual(await manifest(digests[1]?.id.slice(7, 19) ?? ""), [null]);
  // Both names are of one image.
  assert.deepEqual(await manifest("made:1", "other:1"), [["made:1", "other:1"]]);
  assert.deepEqual(await manifest("made:1", "made:1"), [["made:1"]]);

  const saved = () => execFileSync(MYCONTAINER, ["save", "made"], { env: { ...process.env, ...store.env } });
  const first = saved();
  await succeed(store, "rmi", "made:1", "made:2", "other:1");
  await succeed(store, "load", "-q", "-i", store.file(archive));
  assert.ok(first.equals(saved()), "the bytes differ");
});

storeTest("a file is replaced when the archive is complete; links and fifos are written through", async (store) => {
  await succeed(
    store,
    "load",
    "-q",
    "-i",
    store.file(layoutOf({ name: "docker.io/library/made:1", layers: [layerOf("a")] }).archive),
  );
  const [real, link] = [join(store.directory, "real"), join(store.directory, "link")];
  writeFileSync(real, "old");
  symlinkSync("real", link);
  await succeed(store, "save", "-o", link, "made:1");
  const archive = readFileSync(real);
  assert.equal(archive.subarray(0, 10).toString(), "oci-layout");
  assert.equal((await store.call(["save", "-o", real, "missing"])).status, 125);
  assert.ok(readFileSync(real).equals(archive));
  await succeed(store, "save", "-o", "/dev/null", "made:1");
  const appended = join(store.directory, "appended");
  writeFileSync(appended, "before");
  execFileSync("sh", ["-c", '"$0" save made:1 >>"$1"', MYCONTAINER, appended], {
    env: { ...process.env, ...store.env },
  });
  assert.ok(readFileSync(appended).subarray(6).equals(archive));
  assert.deepEqual(
    readdirSync(store.directory).filter((name) => name.includes(".new")),
    [],
  );
});

storeTest("what cannot be saved is an error that says why, and leaves no file", async (store) => {
  const data = layerOf("a");
  const { archive } = layoutOf({
    name: "docker.io/library/made:1",
    layers: [Buffer.concat([data, Buffer.alloc(3 << 20)])],
  });
  await succeed(store, "load", "-q", "-i", store.file(archive));
  const refuse = async (reason: RegExp, ...args: string[]) => {
    const { status, stderr } = await store.call(["save", ...args]);
    assert.equal(status, 125, stderr);
    assert.match(stderr, reason);
  };
  await refuse(/no image 'missing:1'/, "missing:1");
  await refuse(/no image 'missing'/, "made", "missing");
  await refuse(/needs an image/);
  await refuse(/unknown format 'zip'/, "--format", "zip", "made");
  await refuse(/there is no directory for/, "-o", "/no/such/place", "made");
  await refuse(/is a directory/, "-o", store.directory, "made");
  const terminal = startOnTerminal(store.directory, [MYCONTAINER, "save", "made"], { env: store.env });
  const { status, stdout } = await terminal.ended;
  assert.equal(status, 125);
  assert.match(stdout, /not written to a terminal/);

  const place = join(store.directory, "small");
  mkdirSync(place);
  const script = `mount -t tmpfs -o size=1m none ${place} && echo old >${place}/image.tar && "$@"; code=$?; ls ${place}; cat ${place}/image.tar; exit $code`;
  const full = await store.call(["save", "-o", join(place, "image.tar"), "made"]);
  assert.equal(full.status, 0, full.stderr);
  try {
    execFileSync(
      "unshare",
      ["-m", "sh", "-c", script, "sh", MYCONTAINER, "save", "-o", join(place, "image.tar"), "made"],
      {
        env: { ...process.env, ...store.env },
        encoding: "utf8",
        stdio: "pipe",
      },
    );
    assert.fail("a full disk went unnoticed");
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    assert.equal(status, 125);
    assert.equal(stdout, "image.tar\nold\n");
    assert.match(stderr, /no space left to write '.*image.tar'/);
  }

  // A blob that has lost a part is not passed on.
  const [blob = ""] = contentsOf(store.images).filter((path) => path.startsWith("blobs/"));
  const path = join(store.images, blob);
  writeFileSync(path, readFileSync(path).subarray(1));
  await refuse(/the store of images is damaged/, "-o", join(store.directory, "x.tar"), "made");
  assert.ok(!existsSync(join(store.directory, "x.tar")));
});
