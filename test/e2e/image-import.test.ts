/** `import`, `images`, `tag` and `rmi`. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { MYCONTAINER } from "./harness.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { type TarEntry, tar } from "./tar.ts";

const NAME = "docker.io/library/made:latest";

/** Everything that a tree can have and tar can tell. */
function zoo(): Buffer {
  const capability = Buffer.from("0100000200040000000000000000000000000000", "hex");
  const entries: TarEntry[] = [
    { name: "./", type: "5", mode: 0o755, mtime: 1_000_000_000 },
    { name: "plain", data: "x".repeat(70_000), uid: 1000, gid: 1001, mtime: 1_234_567_890 },
    { name: "empty" },
    { name: "set-id", mode: 0o6711, data: "x" },
    { name: "directory", type: "5", mode: 0o1777, uid: 3, mtime: 5 },
    { name: "directory/inner", data: "inner" },
    { name: "hard", type: "1", link: "plain" },
    { name: "soft", type: "2", link: "no/such/file", uid: 9, mtime: 77 },
    { name: "hard-to-soft", type: "1", link: "soft" },
    { name: "null", type: "3", mode: 0o666, device: [1, 3], mtime: 5 },
    { name: "loop", type: "4", mode: 0o660, device: [7, 300] },
    { name: "fifo", type: "6", mode: 0o622, mtime: 6 },
    { name: "late", data: "x", pax: { mtime: "1700000000.123456789" } },
    { name: "early", data: "x", pax: { mtime: "-100.5" } },
    { name: "rich", data: "x", pax: { uid: "3000000", gid: "3000001", "SCHILY.xattr.user.note": "a\n=b" } },
    { name: "capable", mode: 0o755, data: "x", pax: { "SCHILY.xattr.security.capability": capability } },
    { name: "x", data: "long", pax: { path: `${"d".repeat(120)}/${"e".repeat(200)}/${"f".repeat(250)}` } },
    { name: "x", type: "2", link: "y", pax: { path: "long-link", linkpath: `${"l".repeat(200)}/${"m".repeat(200)}` } },
    { name: "x", data: "umlaut", pax: { path: "größe" } },
    { name: "x", data: "bytes", pax: { path: Buffer.from([0x66, 0xff, 0xfe]) } },
    { name: "back\\slash and 'quotes'\n", data: "x" },
  ];
  return tar(...entries);
}

/** A tree as tar's stream of it: names in order, all attributes. */
function streamOf(directory: string): Buffer {
  const flags = "--sort=name --numeric-owner --xattrs --xattrs-include=* --format=posix".split(" ");
  const pax = "--pax-option=delete=atime,delete=ctime,exthdr.name=x";
  return execFileSync("tar", [...flags, pax, "-C", directory, "-c", "."], { maxBuffer: 1 << 28 });
}

function assertSameTree(layer: string, expected: string): void {
  if (streamOf(layer).equals(streamOf(expected))) return;
  const listing = (directory: string) =>
    execFileSync("tar", ["-tv", "--full-time", "--numeric-owner"], { input: streamOf(directory), encoding: "utf8" });
  assert.equal(listing(layer), listing(expected));
  assert.fail("the trees differ in their extended attributes");
}

async function importFile(store: ImageStore, path: string): Promise<string> {
  const { status, stderr } = await store.call(["import", path, "made"]);
  assert.equal(status, 0, stderr);
  return store.layers(NAME)[0] ?? "";
}

storeTest("a layer is what GNU tar unpacks, entry by entry, whatever the format", async (store) => {
  const expected = join(store.directory, "expected");
  mkdirSync(expected);
  const path = store.file(zoo());
  const unpack = "-x --same-owner --same-permissions --numeric-owner --xattrs --xattrs-include=* -f".split(" ");
  execFileSync("tar", ["-C", expected, ...unpack, path]);
  // A file with holes: at its beginning, inside, and at its end.
  execFileSync("truncate", ["-s", "3M", join(expected, "sparse")]);
  execFileSync(
    "dd",
    [`of=${join(expected, "sparse")}`, "if=/bin/busybox", "bs=64k", "seek=10", "count=2", "conv=notrunc"],
    { stdio: "ignore" },
  );
  execFileSync(
    "dd",
    [`of=${join(expected, "sparse")}`, "if=/bin/busybox", "bs=64k", "seek=30", "count=1", "conv=notrunc"],
    { stdio: "ignore" },
  );
  const pack = "--numeric-owner --xattrs --xattrs-include=*".split(" ");
  const formats: [name: string, flags: string[]][] = [
    ["posix", ["--format=posix"]],
    ["posix, sparse", ["--format=posix", "--sparse"]],
    ["posix, sparse 0.0", ["--format=posix", "--sparse", "--sparse-version=0.0"]],
    ["posix, sparse 0.1", ["--format=posix", "--sparse", "--sparse-version=0.1"]],
    ["gzip", ["--format=posix", "--gzip"]],
    ["zstd", ["--format=posix", "--zstd"]],
  ];
  for (const [name, flags] of formats) {
    const archive = join(store.directory, "packed");
    execFileSync("tar", ["-C", expected, ...pack, ...flags, "-cf", archive, "."]);
    const layer = await importFile(store, archive);
    assertSameTree(layer, expected);
    if (name.includes("sparse")) {
      const blocks = (file: string) => Number(execFileSync("stat", ["-c", "%b", file], { encoding: "utf8" }));
      assert.ok(
        blocks(join(layer, "sparse")) <= blocks(join(expected, "sparse")) + 16,
        `${name}: the holes are filled`,
      );
    }
  }
  // The older formats know less: they are compared with what tar itself makes of them.
  for (const format of ["gnu", "oldgnu", "ustar", "v7"]) {
    const [archive, again] = [join(store.directory, "packed"), join(store.directory, `again-${format}`)];
    mkdirSync(again);
    const flags = format.endsWith("gnu") ? ["--sparse"] : [];
    const exclude = ["v7", "ustar"].includes(format)
      ? ["./rich", `./${"d".repeat(120)}`, "./long-link", "./early", "./null", "./loop", "./fifo"]
      : [];
    const excluded = exclude.map((path) => `--exclude=${path}`);
    execFileSync("tar", [
      "-C",
      expected,
      "--numeric-owner",
      ...flags,
      ...excluded,
      `--format=${format}`,
      "-cf",
      archive,
      ".",
    ]);
    execFileSync("tar", ["-C", again, ...unpack, archive]);
    assertSameTree(await importFile(store, archive), again);
  }
});

storeTest("an archive comes from standard input as well, and flags say how it is run", async (store) => {
  const child = spawn(MYCONTAINER, ["import", "-c", 'CMD ["/a"]', "-c", "ENV A=B", "-m", "Why", "-", "made"], {
    env: { ...process.env, ...store.env },
    stdio: ["pipe", "ignore", "inherit"],
  });
  child.stdin.end(gzipSync(tar({ name: "a", data: "x" })));
  assert.equal(await new Promise((resolve) => child.once("exit", resolve)), 0);
  const [image] = JSON.parse((await store.call(["inspect", "made"])).stdout) as [
    { configuration: { config: object; history: { comment: string }[] } },
  ];
  assert.deepEqual(image.configuration.config, { Env: ["A=B"], Cmd: ["/a"] });
  assert.equal(image.configuration.history[0]?.comment, "Why");
});

storeTest("what cannot be imported is told in one line", async (store) => {
  const path = store.file(tar({ name: "a" }));
  const cases: [string[], RegExp][] = [
    [["import"], /needs an archive/],
    [["import", "/no/such/file", "x"], /there is no file '\/no\/such\/file'/],
    [["import", store.directory, "x"], /is a directory, no archive/],
    [["import", "/dev/null", "x"], /is a character, no archive/],
    [["import", path, "Not A Name"], /invalid image name/],
    [["import", path, `x@sha256:${"0".repeat(64)}`], /by its digest/],
    [["import", "-c", "RUN ls", path, "x"], /bad change/],
    [["import", MYCONTAINER, "x"], /is no archive/],
    [["load", path], /no archive of images/],
    [["load", path, path], /takes one archive/],
    [["rmi", "nothing"], /no image 'nothing' here/],
    [["rmi", "0123abcd"], /no image '0123abcd' here/],
    [["tag", "nothing", "x"], /no image 'nothing' here/],
    [["inspect", "--type", "image", "nothing"], /no image 'nothing' here/],
  ];
  for (const [args, reason] of cases) {
    const { status, stderr } = await store.call(args);
    assert.ok(status === 125 || status === 1, `${args.join(" ")}: ${status}`);
    assert.match(stderr, /^mycontainer: [^\n]*\n$/);
    assert.match(stderr, reason);
    assert.deepEqual(contentsOf(store.images), []);
  }
  await store.call(["images"]);
});

storeTest("a full disk is an error that says so, and leaves nothing behind", async (store) => {
  const data = Buffer.alloc(3 << 20, 1);
  const path = store.file(tar({ name: "large", data }));
  const script = `mount -t tmpfs -o size=4m,nr_inodes=1000 none ${store.env["MYCONTAINER_ROOT"]} && "$@"; code=$?; find ${store.images} -type f -o -path '*/staging/*'; exit $code`;
  const run = (archive: string) =>
    new Promise<{ status: number | null; text: string }>((resolve) => {
      const child = spawn("unshare", ["-m", "sh", "-c", script, "sh", MYCONTAINER, "import", archive, "x"], {
        env: { ...process.env, ...store.env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let text = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk));
      child.once("close", (status) => resolve({ status, text }));
    });
  const many = tar(...Array.from({ length: 1500 }, (_, index) => ({ name: `d/${index}` })));
  for (const archive of [path, store.file(many, "many.tar")]) {
    const { status, text } = await run(archive);
    assert.equal(status, 125, text);
    assert.match(text, /no space left for the image/);
    assert.ok(!/staging\/|blobs\/sha256\/|references\/|layers\//.test(text), text);
  }
  mkdirSync(join(store.images, "staging"), { recursive: true });
});

storeTest("names come and go, and the image goes with the last", async (store) => {
  const path = store.file(tar({ name: "a", data: "1" }));
  const id = (await store.call(["import", path, "one"])).stdout.trim();
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.equal((await store.call(["tag", "one", "registry.example:5000/two:2"])).status, 0);
  assert.equal((await store.call(["tag", id.slice(7, 19), "three"])).status, 0);
  const rows = (await store.call(["images"])).stdout
    .trim()
    .split("\n")
    .map((line) => line.split(/ {3,}/));
  assert.deepEqual(rows[0], ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]);
  assert.deepEqual(
    rows
      .slice(1)
      .map(([repository, tag, short, , size]) => [repository, tag, short, size])
      .sort(),
    [
      ["one", "latest", id.slice(7, 19), "1B"],
      ["registry.example:5000/two", "2", id.slice(7, 19), "1B"],
      ["three", "latest", id.slice(7, 19), "1B"],
    ],
  );
  assert.equal((await store.call(["images", "-q"])).stdout, `${id.slice(7, 19)}\n`);
  assert.equal((await store.call(["rmi", "one"])).stdout, "Untagged: one:latest\n");
  assert.match((await store.call(["rmi", id])).stderr, /several names/);
  const { stdout } = await store.call(["rmi", "-f", id]);
  assert.equal(stdout, `Untagged: three:latest\nUntagged: registry.example:5000/two:2\nDeleted: ${id}\n`);
  assert.deepEqual(contentsOf(store.images), []);
  const index = JSON.parse(readFileSync(join(store.images, "index.json"), "utf8")) as { manifests: unknown[] };
  assert.deepEqual(index.manifests, []);
});

storeTest("an image that loses its name to another one stays, without a name", async (store) => {
  await store.call(["import", store.file(tar({ name: "a", data: "1" })), "one"]);
  const second = (await store.call(["import", store.file(tar({ name: "b", data: "2" })), "one"])).stdout.trim();
  const rows = (await store.call(["images"])).stdout.trim().split("\n").slice(1);
  assert.equal(rows.length, 2);
  assert.ok(
    rows.some((line) => /^<none> +<none> /.test(line)),
    rows.join("\n"),
  );
  const { stdout } = await store.call(["images", "-q", "one"]);
  assert.equal(stdout, `${second.slice(7, 19)}\n`);
});

storeTest("imports at the same time do not disturb each other", async (store) => {
  const archives = Array.from({ length: 8 }, (_, index) =>
    store.file(tar({ name: "same", data: "same" }, { name: `f${index % 4}`, data: `${index % 4}` }), `${index}.tar`),
  );
  const done = await Promise.all(archives.map((path, index) => store.call(["import", path, `image:${index}`])));
  assert.deepEqual(
    done.map(({ status, stderr }) => [status, stderr]),
    archives.map(() => [0, ""]),
  );
  assert.equal(contentsOf(store.images).filter((path) => path.startsWith("layers/")).length, 4);
  const removed = await Promise.all(archives.map((_, index) => store.call(["rmi", `image:${index}`])));
  assert.deepEqual(
    removed.map(({ status }) => status),
    archives.map(() => 0),
  );
  assert.deepEqual(contentsOf(store.images), []);
});

storeTest("the mode of the layer's root does not depend on the umask", async (store) => {
  const path = store.file(tar({ name: "d/e", data: "x" }));
  execFileSync("sh", ["-c", 'umask 077 && exec "$@"', "sh", MYCONTAINER, "import", path, "made"], {
    env: { ...process.env, ...store.env },
  });
  const [layer = ""] = store.layers(NAME);
  const modes = execFileSync("stat", ["-c", "%a", layer, join(layer, "d"), join(layer, "d/e")], { encoding: "utf8" });
  assert.equal(modes, "755\n755\n644\n");
});
