/**
 * A store of images of a test's own, and what can be seen of it from outside.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MYCONTAINER, type Options, type Outcome, start } from "./harness.ts";

export type ImageStore = {
  /** The test's own directory: `outside` and `lib` are in it. */
  directory: string;
  /** A tree that nothing may change. */
  outside: string;
  images: string;
  env: Record<string, string>;
  call(args: string[], options?: Options): Promise<Outcome>;
  /** Writes an archive; the path of the file. */
  file(data: Buffer, name?: string): string;
  /** The directories of an image's layers, the topmost first. */
  layers(name: string): string[];
};

/** All that lstat(2) and read(2) say of a tree, but for times of access. */
export function snapshot(directory: string): string[] {
  const lines: string[] = [];
  const walk = (path: string, shown: string): void => {
    const status = lstatSync(path, { bigint: true });
    const { mode, uid, gid, size, mtimeNs, ctimeNs, nlink, rdev } = status;
    const content = status.isFile()
      ? createHash("sha256").update(readFileSync(path)).digest("hex")
      : status.isSymbolicLink()
        ? readlinkSync(path)
        : "";
    lines.push([shown, mode.toString(8), uid, gid, size, mtimeNs, ctimeNs, nlink, rdev, content].join(" "));
    if (status.isDirectory()) for (const name of readdirSync(path).sort()) walk(join(path, name), `${shown}/${name}`);
  };
  walk(directory, "");
  return lines;
}

function openStore(): ImageStore & { close: () => void } {
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-images-"));
  const [outside, root] = [join(directory, "outside"), join(directory, "lib")];
  mkdirSync(join(outside, "deep"), { recursive: true });
  mkdirSync(root, { mode: 0o700 });
  for (const name of ["file", "deep/file"]) writeFileSync(join(outside, name), "untouched\n");
  const env = { MYCONTAINER_ROOT: root, MYCONTAINER_RUN: join(directory, "run") };
  const images = join(root, "images");
  return {
    directory,
    outside,
    images,
    env,
    call: (args, options) =>
      start(directory, [MYCONTAINER, ...args], { ...options, env: { ...env, ...options?.env } }).ended,
    file(data, name = "image.tar") {
      const path = join(directory, name);
      writeFileSync(path, data);
      return path;
    },
    layers(name) {
      const file = join(images, "references", name.replaceAll("/", "+"));
      const record = JSON.parse(readFileSync(file, "utf8")) as { layers: { directory: string }[] };
      return record.layers.map((layer) => join(images, "layers", layer.directory)).reverse();
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** What a store holds beside its fixed files. */
export function contentsOf(images: string): string[] {
  const places = ["blobs/sha256", "layers", "references", "staging"];
  return places.flatMap((place) => {
    try {
      return readdirSync(join(images, place)).map((name) => `${place}/${name}`);
    } catch {
      return [];
    }
  });
}

/** A test with a store of its own; what is outside of the store must be as it was. */
export function storeTest(name: string, body: (store: ImageStore, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    const store = openStore();
    try {
      const before = snapshot(store.outside);
      await body(store, t);
      assert.deepEqual(snapshot(store.outside), before, "something outside of the store has changed");
      assert.deepEqual(readdirSync(join(store.images, "staging")), [], "something is left in the staging place");
    } finally {
      store.close();
    }
  });
}

/** An import that has to fail: exit status 125, one line that matches, and nothing in the store. */
export async function refused(store: ImageStore, archive: Buffer, reason: RegExp, options?: Options): Promise<void> {
  const { status, stderr } = await store.call(["import", store.file(archive), "hostile"], options);
  assert.equal(status, 125, stderr);
  assert.match(stderr, /^mycontainer: [^\n]*\n$/);
  assert.match(stderr, reason);
  assert.deepEqual(contentsOf(store.images), []);
}

/** An import that has to succeed; the directory of its layer. */
export async function imported(store: ImageStore, archive: Buffer): Promise<string> {
  const { status, stderr } = await store.call(["import", store.file(archive), "hostile"]);
  assert.equal(status, 0, stderr);
  const [layer = ""] = store.layers("docker.io/library/hostile:latest");
  return layer;
}
