/** File systems without room, or without inodes, for the store of images: what is said, what is kept, and how to get on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { contextOf } from "./build-context.ts";
import { removeAll, startDetached } from "./containers.ts";
import { type Engine, MYCONTAINER, start } from "./harness.ts";
import { layoutOf } from "./image-layout.ts";
import { contentsOf, type ImageStore, storeTest } from "./image-store.ts";
import { openRegistry, takeUploads } from "./scripted-registry.ts";
import { tar } from "./tar.ts";

const MIB = 1024 * 1024;
const SMALL = tar({ name: "small", data: randomBytes(100_000) });
const LARGE = tar({ name: "large", data: randomBytes(3 * MIB) });
const MANY = tar(...Array.from({ length: 600 }, (_, index) => ({ name: `file${index}`, data: "x" })));

/** A small file system on a directory; what takes it away again. */
type Mounted = Disposable;

function mountTmpfs(directory: string, options: string): Mounted {
  execFileSync("mount", ["-t", "tmpfs", "-o", `mode=700,${options}`, "none", directory]);
  return { [Symbol.dispose]: () => void execFileSync("umount", [directory]) };
}

/** One on a loop device, with no blocks kept for root; undefined where there are no such devices. */
function mountExt4(directory: string, image: string): Mounted | undefined {
  writeFileSync(image, "");
  truncateSync(image, 10 * MIB);
  execFileSync("mkfs.ext4", ["-q", "-m", "0", image], {
    env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
  });
  try {
    execFileSync("mount", ["-o", "loop", image, directory], { stdio: "pipe" });
  } catch {
    return undefined;
  }
  execFileSync("chmod", ["700", directory]);
  return { [Symbol.dispose]: () => void execFileSync("umount", [directory]) };
}

/** Writes until there is no room at all; what makes some again. */
function fill(directory: string): () => void {
  const ballast = join(directory, "ballast");
  const fd = openSync(ballast, "a");
  for (const size of [MIB, 4096, 1]) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
  closeSync(fd);
  // The last block of a directory may have room for names yet.
  const names = [ballast];
  try {
    for (;;) {
      const name = join(directory, `ballast-${names.length}`);
      mkdirSync(name);
      names.push(name);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
  return () => {
    for (const name of names) rmSync(name, { recursive: true });
  };
}

const KINDS: [kind: string, mount: (directory: string, store: ImageStore) => Mounted | undefined][] = [
  ["a tmpfs", (directory) => mountTmpfs(directory, "size=5m,nr_inodes=500")],
  ["an ext4", (directory, store) => mountExt4(directory, join(store.directory, "ext4.img"))],
];

async function must(store: Pick<ImageStore, "call">, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await store.call(args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

for (const [kind, mount] of KINDS) {
  storeTest(`on ${kind} that is full nothing is lost, and what is there can be read and removed`, async (store, t) => {
    const root = store.env["MYCONTAINER_ROOT"] ?? "";
    const registry = await openRegistry();
    try {
      const mounted = mount(root, store);
      if (mounted === undefined) {
        t.diagnostic("there are no loop devices");
        mkdirSync(join(store.images, "staging"), { recursive: true });
        return;
      }
      using _mounted = mounted;
      const name = `${registry.host}/large:1`;
      registry.image("large:1", [SMALL, LARGE]);
      const loaded = layoutOf({ name: "docker.io/library/large:2", layers: [LARGE] }).archive;
      await must(store, "import", store.file(SMALL, "small.tar"), "small");
      const before = contentsOf(store.images).sort();
      const arriving = [
        ["import", store.file(LARGE, "large.tar"), "large"],
        ["load", "-i", store.file(loaded, "loaded.tar")],
        ["pull", name],
      ];
      const full = /no space left for the image in .*images/;
      // First too little room, and then none.
      for (const free of [() => undefined, fill(root)]) {
        for (const command of arriving) {
          const { status, stderr } = await store.call(command);
          assert.equal(status, 125, command.join(" "));
          assert.match(stderr, /^mycontainer: [^\n]*\n$/);
          assert.match(stderr, full);
          assert.deepEqual(contentsOf(store.images).sort(), before, command.join(" "));
        }
        free();
      }
      const free = fill(root);
      assert.match((await store.call(["tag", "small", "other"])).stderr, full);
      assert.match(await must(store, "images"), /small/);
      assert.match(await must(store, "system", "check"), /all is well/);
      await must(store, "save", "-o", join(store.directory, "saved.tar"), "small");
      const { status, stderr } = await store.call(["save", "-o", join(root, "saved.tar"), "small"]);
      assert.equal(status, 125);
      assert.match(stderr, /no space left to write '.*saved\.tar'/);
      takeUploads(registry);
      free();
      await must(store, "tag", "small", `${registry.host}/small:1`);
      const again = fill(root);
      await must(store, "push", `${registry.host}/small:1`);
      await must(store, "rmi", `${registry.host}/small:1`);
      await must(store, "rmi", "small");
      assert.deepEqual(contentsOf(store.images), []);
      again();
      assert.match(await must(store, "system", "check"), /all is well/);
      await must(store, "import", store.file(SMALL, "small.tar"), "small");
      await must(store, "rmi", "small");
    } finally {
      await registry.close();
    }
    mkdirSync(join(store.images, "staging"), { recursive: true });
  });
}

storeTest("where inodes are used up, that is told like a disk without room", async (store) => {
  const root = store.env["MYCONTAINER_ROOT"] ?? "";
  const registry = await openRegistry();
  try {
    using _mounted = mountTmpfs(root, "size=50m,nr_inodes=300");
    registry.image("many:1", [SMALL, MANY]);
    const loaded = layoutOf({ name: "docker.io/library/many:2", layers: [MANY] }).archive;
    await must(store, "import", store.file(SMALL, "small.tar"), "small");
    const before = contentsOf(store.images).sort();
    for (const command of [
      ["import", store.file(MANY, "many.tar"), "many"],
      ["load", "-i", store.file(loaded, "loaded.tar")],
      ["pull", `${registry.host}/many:1`],
    ]) {
      const { status, stderr } = await store.call(command);
      assert.equal(status, 125, command.join(" "));
      assert.match(stderr, /no space left for the image in .*'df -i'/);
      assert.deepEqual(contentsOf(store.images).sort(), before, command.join(" "));
    }
    execFileSync("mount", ["-o", "remount,nr_inodes=5000", root]);
    await must(store, "pull", `${registry.host}/many:1`);
    assert.match(await must(store, "system", "check"), /all is well/);
  } finally {
    await registry.close();
  }
  mkdirSync(join(store.images, "staging"), { recursive: true });
});

test("a commit without room fails, the container goes on, and there is room later", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-full-"));
  const [root, run] = [join(directory, "lib"), join(directory, "run")];
  for (const path of [root, run]) mkdirSync(path, { mode: 0o700 });
  try {
    using _mounted = mountTmpfs(root, "size=24m,nr_inodes=2000");
    const env = { MYCONTAINER_ROOT: root, MYCONTAINER_RUN: run };
    const engine = {
      call: (args: string[]) => start(directory, [MYCONTAINER, ...args], { env }).ended,
    } as Engine;
    const id = await startDetached(engine, ["--network", "none"]);
    const script = "head -c 3000000 /dev/urandom >/large";
    assert.equal((await engine.call(["exec", id, "sh", "-c", script])).status, 0);
    const images = join(root, "images");
    const before = contentsOf(images).sort();
    const free = fill(root);
    const { status, stderr } = await engine.call(["commit", id, "mine"]);
    assert.equal(status, 125);
    assert.match(stderr, /no space left/);
    assert.deepEqual(contentsOf(images).sort(), before);
    // It does not stand still.
    assert.equal((await engine.call(["exec", id, "true"])).status, 0);
    free();
    await must(engine, "commit", id, "mine");
    assert.match(await must(engine, "system", "check"), /all is well/);
    await removeAll(engine, id);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a build without room fails, leaves nothing but what it had done, and works when there is room", async () => {
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-full-"));
  const [root, run] = [join(directory, "lib"), join(directory, "run")];
  for (const path of [root, run]) mkdirSync(path, { mode: 0o700 });
  try {
    using _mounted = mountTmpfs(root, "size=16m,nr_inodes=4000");
    const env = { MYCONTAINER_ROOT: root, MYCONTAINER_RUN: run };
    const engine = {
      directory,
      call: (args: string[]) => start(directory, [MYCONTAINER, ...args], { env }).ended,
    } as Engine;
    await must(engine, "run", "--rm", "-q", "--network", "none", "busybox", "true");
    const large = randomBytes(6 * MIB);
    const build = (Dockerfile: string) =>
      engine.call(["build", "--network", "none", "-q", "-t", "mine", contextOf(engine, { Dockerfile, large })]);
    const images = join(root, "images");
    const before = contentsOf(images).sort();
    const copied = await build("FROM busybox\nCOPY large /one\nCOPY large /two\n");
    assert.deepEqual(
      [copied.status, /no space left for the image in .*images/.test(copied.stderr)],
      [125, true],
      copied.stderr,
    );
    const written = await build("FROM busybox\nRUN head -c 14000000 /dev/urandom >/large\n");
    assert.deepEqual(
      [written.status, /No space left on device|I\/O error/.test(written.stderr)],
      [1, true],
      written.stderr,
    );
    assert.deepEqual(readdirSync(join(images, "staging")), []);
    assert.equal(await must(engine, "ps", "-aq"), "");
    await must(engine, "builder", "prune", "-f");
    assert.deepEqual(contentsOf(images).sort(), before);
    assert.equal((await build("FROM busybox\nRUN echo small >/small\n")).status, 0);
    assert.match(await must(engine, "system", "check"), /all is well/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
