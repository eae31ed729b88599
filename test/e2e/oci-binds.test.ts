/**
 * Bind mounts of config.json: what becomes of their source's attributes, sources that the container itself has mounted, and
 * ids that are mapped as a joined user namespace does.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Json, NAMESPACES, oci, type Runtime } from "./bundles.ts";

const FIRST_ID = 100_000;
const MAPPING = [{ containerID: 0, hostID: FIRST_ID, size: 65_536 }];
const USER_NAMESPACE = {
  namespaces: [...NAMESPACES, { type: "user" }],
  uidMappings: MAPPING,
  gidMappings: MAPPING,
};

/** A directory that is a mount with those options, for as long as the body runs. */
async function withMount(runtime: Runtime, options: string, body: (place: string) => Promise<void>): Promise<void> {
  const place = mkdtempSync(join(runtime.directory, "mount-"));
  execFileSync("mount", ["-t", "tmpfs", "none", place]);
  chmodSync(place, 0o755);
  try {
    execFileSync("mount", ["-o", `remount,bind,${options}`, place]);
    await body(place);
  } finally {
    execFileSync("umount", [place]);
  }
}

/** The attributes that a bind mount of that place has in a container: mount(8)'s names, or why there is none. */
async function attributesOf(runtime: Runtime, source: string, options: string[], linux: Json = {}): Promise<string[]> {
  const { status, stdout, stderr } = await runtime.run({
    script: "while read -r _ _ _ _ path options _; do [ $path != /m ] || echo $options; done < /proc/self/mountinfo",
    moreMounts: [{ destination: "/m", source, options: ["bind", ...options] }],
    linux,
  });
  return status === 0 ? stdout.trim().split(",") : [stderr];
}

oci("a bind mount has the attributes that it names, and its source's only if it names none", async (runtime) => {
  await withMount(runtime, "ro,nosuid,noexec,noatime,nodiratime", async (place) => {
    const of = async (...options: string[]) => (await attributesOf(runtime, place, options)).join(",");
    assert.equal(await of(), "ro,nosuid,noexec,noatime,nodiratime");
    assert.equal(await of("rprivate"), "ro,nosuid,noexec,noatime,nodiratime");
    assert.equal(await of("dev"), "rw,noatime,nodiratime");
    assert.equal(await of("ro", "nodev"), "ro,nodev,noatime,nodiratime");
    assert.equal(await of("rw", "atime", "diratime"), "rw,noatime,nodiratime");
    assert.equal(await of("strictatime"), "rw");
    assert.equal(await of("nodiratime"), "rw,nodiratime,relatime");
    assert.equal(await of("remount", "rw"), "rw,nosuid,noexec,noatime,nodiratime");
  });
});

oci("in a user namespace the source's attributes stay, and taking them back is refused", async (runtime) => {
  await withMount(runtime, "ro,nosuid,relatime", async (place) => {
    const of = async (...options: string[]) => (await attributesOf(runtime, place, options, USER_NAMESPACE)).join(",");
    assert.equal(await of("nodev"), "ro,nosuid,nodev,relatime");
    assert.equal(await of("dev"), "ro,nosuid,relatime");
    for (const option of ["rw", "suid", "noatime", "strictatime"])
      assert.match(await of(option), /error during container init: error mounting .*operation not permitted/, option);
  });
  await withMount(runtime, "rw", async (place) => {
    const of = async (...options: string[]) => (await attributesOf(runtime, place, options, USER_NAMESPACE)).join(",");
    assert.equal(await of("rw", "dev"), "rw,relatime");
    // The file system itself is read-only: nobody's decision about the mount.
    execFileSync("mount", ["-o", "remount,ro", place]);
    execFileSync("mount", ["-o", "remount,bind,rw", place]);
    assert.equal(await of("rw"), "rw,relatime");
  });
});

/** A root of its own, for tests that make things in it. */
function ownRoot(runtime: Runtime): string {
  const root = join(mkdtempSync(join(runtime.directory, "root-")), "rootfs");
  cpSync(runtime.rootfs, root, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(root, "mnt"));
  return root;
}

oci("a source that the container has mounted by then is what the container has there", async (runtime) => {
  const root = ownRoot(runtime);
  const place = mkdtempSync(join(runtime.directory, "sources-"));
  mkdirSync(join(place, "tree/below"), { recursive: true });
  writeFileSync(join(place, "tree/below/file"), "of the tree\n");
  writeFileSync(join(root, "mnt/file"), "of the root\n");
  chownSync(join(place, "tree/below/file"), FIRST_ID + 7, FIRST_ID + 8);
  const bind = (source: string, destination: string, more: Json = {}) => ({
    source,
    destination,
    options: ["rbind"],
    ...more,
  });
  const mounts = [
    bind(join(root, "mnt"), "/early"),
    bind(join(place, "tree"), "/mnt"),
    bind(join(root, "mnt"), join(root, "late")),
    bind(join(root, "mnt/below"), "/part"),
    bind(join(root, "mnt/below"), "/mapped", { uidMappings: MAPPING, gidMappings: MAPPING }),
  ];
  const script = "cat /early/file /late/below/file /part/file; stat -c %u:%g /part/file /mapped/file";
  const top = { root: { path: root } };
  const own = await runtime.run({ script, moreMounts: mounts, top });
  assert.equal(own.stdout, `of the root\nof the tree\nof the tree\n${FIRST_ID + 7}:${FIRST_ID + 8}\n65534:65534\n`);
  const mapped = await runtime.run({ script, moreMounts: mounts, top, linux: USER_NAMESPACE });
  assert.equal(mapped.stdout, "of the root\nof the tree\nof the tree\n7:8\n65534:65534\n", mapped.stderr);
});

oci("a source in the container is looked up there, and no link in it leads out", async (runtime) => {
  const root = ownRoot(runtime);
  const place = mkdtempSync(join(runtime.directory, "secret-"));
  writeFileSync(join(place, "secret"), "of the host");
  const tree = mkdtempSync(join(runtime.directory, "tree-"));
  symlinkSync(place, join(tree, "out"));
  const { status, stdout, stderr } = await runtime.run({
    script: "ls /out",
    moreMounts: [
      { source: tree, destination: "/mnt", options: ["bind"] },
      { source: join(root, "mnt/out"), destination: "/out", options: ["bind"] },
    ],
    top: { root: { path: root } },
  });
  assert.notEqual(status, 0);
  assert.doesNotMatch(stdout, /secret/);
  assert.match(stderr, /no such file|ENOENT/i);
  assert.equal(readFileSync(join(place, "secret"), "utf8"), "of the host");
});

oci("ids are mapped as the user namespace does that the container joins", async (runtime) => {
  const place = mkdtempSync(join(runtime.directory, "joined-"));
  writeFileSync(join(place, "file"), "");
  chownSync(join(place, "file"), 100, 211);
  const id = await runtime.detached({ linux: USER_NAMESPACE });
  const { pid } = await runtime.state(id);
  const { stdout, stderr } = await runtime.run({
    script: "stat -c %u:%g /m/file",
    moreMounts: [{ source: place, destination: "/m", options: ["bind", "idmap"] }],
    linux: { namespaces: [...NAMESPACES, { type: "user", path: `/proc/${pid}/ns/user` }] },
  });
  assert.equal(stdout, "100:211\n", stderr);
  await runtime.remove(id);
});

oci("a relative source is the bundle's, wherever the runtime is called", async (runtime) => {
  const bundle = runtime.bundle({
    script: "cat /one /two",
    moreMounts: [
      { source: "beside", destination: "/one", options: ["bind"] },
      { source: "./beside", destination: "/two", type: "bind" },
    ],
  });
  writeFileSync(join(bundle, "beside"), "in the bundle\n");
  const { stdout, stderr } = await runtime.call(["run", "--bundle", bundle, runtime.newId()], { cwd: "/" });
  assert.equal(stdout, "in the bundle\nin the bundle\n", stderr);
});
