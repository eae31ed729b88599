/**
 * `root`, `mounts`, devices, masked and read-only paths of config.json, as the container's mount table and files show them.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { oci, valuesOf } from "./bundles.ts";

interface Mount {
  path: string;
  options: string[];
  propagation: string;
  type: string;
  superOptions: string[];
}

/** The mount table of a process, by mount point: proc_pid_mountinfo(5). The topmost of several counts. */
function mountsOf(pid: number): Record<string, Mount> {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n").filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const [before = "", behind = ""] = line.split(" - ");
      const [, , , , path = "", options = "", ...tags] = before.split(" ");
      const [type = "", , superOptions = ""] = behind.split(" ");
      const mount = { path, options: options.split(","), propagation: tags.join(" "), type };
      return [path, { ...mount, superOptions: superOptions.split(",") }];
    }),
  );
}

oci("mounts have the types, options and data of config.json", async (runtime) => {
  const place = mkdtempSync(join(runtime.directory, "mounts-"));
  mkdirSync(join(place, "directory"));
  writeFileSync(join(place, "directory/inside"), "in");
  writeFileSync(join(place, "file"), "of the host");
  execFileSync("mount", ["-t", "tmpfs", "none", join(place, "directory")]);
  writeFileSync(join(place, "directory/inside"), "in");
  try {
    const directory = join(place, "directory");
    const id = await runtime.detached({
      moreMounts: [
        {
          destination: "/dev/shm",
          type: "tmpfs",
          source: "shm",
          options: ["nosuid", "noexec", "nodev", "mode=1777", "size=1m"],
        },
        { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec"] },
        { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
        { destination: "/m/bind", source: directory, options: ["bind", "ro", "nosuid"] },
        { destination: "/m/rbind", source: place, options: ["rbind", "rro"] },
        { destination: "/m/file", source: join(place, "file"), options: ["bind", "noexec", "noatime"] },
        { destination: "/m/slave", source: place, type: "none", options: ["rbind", "rslave"] },
        { destination: "relative/place", type: "tmpfs", source: "tmpfs", options: ["uid=5", "mode=700"] },
        {
          destination: "/m/strict",
          type: "tmpfs",
          source: "tmpfs",
          options: ["strictatime", "nodiratime", "dirsync", "sync"],
        },
        { destination: "/m/copy", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] },
      ],
    });
    const { pid } = await runtime.state(id);
    const mounts = mountsOf(pid);
    const options = (path: string) => mounts[path]?.options ?? [];
    const has = (path: string, ...wanted: string[]) =>
      assert.deepEqual(
        wanted.filter((option) => !options(path).includes(option)),
        [],
        `${path}: ${options(path)}`,
      );
    has("/dev/shm", "rw", "nosuid", "nodev", "noexec");
    assert.ok(mounts["/dev/shm"]?.superOptions.includes("size=1024k"));
    assert.equal(mounts["/dev/mqueue"]?.type, "mqueue");
    has("/sys", "ro", "nosuid");
    has("/m/bind", "ro", "nosuid");
    has("/m/rbind", "ro");
    has("/m/rbind/directory", "ro");
    has("/m/file", "noexec", "noatime");
    assert.match(mounts["/m/slave"]?.propagation ?? "", /^(master:\d+.*)?$/);
    assert.equal(mounts["/relative/place"]?.type, "tmpfs");
    assert.ok(mounts["/relative/place"]?.superOptions.includes("uid=5"));
    has("/m/strict", "nodiratime");
    assert.ok(!options("/m/strict").includes("relatime"));
    assert.ok(mounts["/m/strict"]?.superOptions.includes("sync"));
    const script =
      "cat /m/bind/inside /m/file; touch /m/bind/x 2>&1; touch /m/rbind/directory/x 2>&1; stat -c %a /dev/shm /relative/place";
    const seen = await runtime.must(["exec", id, "sh", "-c", script]);
    assert.match(seen, /^inof the host/);
    assert.equal(seen.match(/Read-only file system/g)?.length, 2);
    assert.match(seen, /^1777\n700$/m);
    await runtime.remove(id);
  } finally {
    execFileSync("umount", [join(place, "directory")]);
  }
});

oci("a read-only root cannot be written to, and what is mounted on it can", async (runtime) => {
  const script = "touch /x 2>&1; touch /t/x && echo written; touch /dev/x 2>&1 && echo device";
  mkdirSync(join(runtime.rootfs, "t"), { recursive: true });
  const { stdout } = await runtime.run({
    script,
    moreMounts: [{ destination: "/t", type: "tmpfs", source: "tmpfs" }],
    top: { root: { path: runtime.rootfs, readonly: true } },
  });
  assert.equal(stdout, "touch: /x: Read-only file system\nwritten\ndevice\n");
});

oci("devices of config.json are made, beside those that every container has", async (runtime) => {
  const script = `for f in null zero full random urandom tty ptmx own fifo; do stat -L -c "$f=%F %t:%T %a %u:%g" /dev/$f; done
    for f in fd stdin stdout stderr ptmx; do echo "link-$f=$(readlink /dev/$f)"; done`;
  const { status, stdout, stderr } = await runtime.run({
    script,
    linux: {
      devices: [
        { path: "/dev/own", type: "c", major: 1, minor: 5, fileMode: 0o640, uid: 7, gid: 8 },
        { path: "/dev/fifo", type: "p", fileMode: 0o600 },
      ],
    },
  });
  assert.equal(status, 0, stderr);
  const seen = valuesOf(stdout);
  assert.equal(seen["null"], "character special file 1:3 666 0:0");
  assert.equal(seen["full"], "character special file 1:7 666 0:0");
  assert.match(seen["tty"] ?? "", /^character special file 5:0 666/);
  assert.equal(seen["own"], "character special file 1:5 640 7:8");
  assert.match(seen["fifo"] ?? "", /^fifo 0:0 600 0:0$/);
  assert.equal(seen["link-fd"], "/proc/self/fd");
  assert.equal(seen["link-stdin"], "/proc/self/fd/0");
  assert.equal(seen["link-ptmx"], "pts/ptmx");
});

oci(
  "masked paths show nothing, read-only ones take nothing, and those that are not there do no harm",
  async (runtime) => {
    const script = `cat /proc/keys | wc -c; ls /proc/sys/kernel | wc -w; echo 1 > /proc/sys/fs/pipe-max-size
    cat /masked/file; touch /readonly/x 2>&1`;
    mkdirSync(join(runtime.rootfs, "masked"), { recursive: true });
    mkdirSync(join(runtime.rootfs, "readonly"), { recursive: true });
    writeFileSync(join(runtime.rootfs, "masked/file"), "secret");
    const { stdout, stderr } = await runtime.run({
      script,
      linux: {
        maskedPaths: ["/proc/keys", "/proc/sys/kernel", "/masked/file", "/proc/none"],
        readonlyPaths: ["/proc/sys", "/readonly", "/none"],
      },
    });
    assert.equal(stdout, "0\n0\ntouch: /readonly/x: Read-only file system\n");
    assert.match(stderr, /pipe-max-size: Read-only file system/);
  },
);

oci("the root's propagation is what config.json says", async (runtime) => {
  for (const [rootfsPropagation, expected] of [
    ["private", /^$/],
    ["slave", /^(master:\d+)?/],
    ["shared", /^shared:\d+/],
    ["unbindable", /^unbindable$/],
  ] as const) {
    const id = await runtime.detached({ linux: { rootfsPropagation } });
    const { pid } = await runtime.state(id);
    assert.match(mountsOf(pid)["/"]?.propagation ?? "none", expected, rootfsPropagation);
    await runtime.remove(id);
  }
  const { status, stderr } = await runtime.run({ linux: { rootfsPropagation: "upward" } });
  assert.equal(status, 1);
  assert.match(stderr, /rootfsPropagation.*upward|upward.*rootfsPropagation/);
});

oci("mounts of a user namespace can have maps of their own", async (runtime) => {
  const place = mkdtempSync(join(runtime.directory, "idmap-"));
  chmodSync(place, 0o755);
  writeFileSync(join(place, "file"), "");
  const mappings = {
    uidMappings: [{ containerID: 0, hostID: 1000, size: 100 }],
    gidMappings: [{ containerID: 0, hostID: 2000, size: 100 }],
  };
  const { status, stdout, stderr } = await runtime.run({
    script: "stat -c %u:%g /m/file",
    moreMounts: [{ destination: "/m", source: place, options: ["bind"], ...mappings }],
  });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "1000:2000\n");
});

oci("mounts that cannot be are errors which name them, and nothing is left", async (runtime) => {
  for (const [mount, text] of [
    [{ destination: "/x", source: "/no/such/source", options: ["bind"] }, /\/no\/such\/source/],
    [{ destination: "/x", type: "nofs", source: "none" }, /nofs/],
    [{ destination: "/proc/sys", type: "tmpfs", source: "tmpfs" }, /inside \/proc/],
    [{ destination: "/x", type: "tmpfs", source: "tmpfs", options: ["size=lots"] }, /size|tmpfs/],
    [{ type: "tmpfs", source: "tmpfs" }, /destination/],
  ] as const) {
    const { status, stderr } = await runtime.run({ script: "true", moreMounts: [mount] });
    assert.equal(status, 1, JSON.stringify(mount));
    assert.match(stderr, text);
  }
  const { stderr } = await runtime.run({ script: "true", top: { root: { path: "/no/root" } } });
  assert.match(stderr, /\/no\/root/);
  assert.ok(!existsSync("/no/root"));
});

oci("a link to nothing is followed inside the root, to what is made there", async (runtime) => {
  const root = join(mkdtempSync(join(runtime.directory, "dangling-")), "rootfs");
  cpSync(runtime.rootfs, root, { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(root, "links"));
  const links = {
    jump: "/made/by",
    far: "/links/jump/jumping/file",
    up: "../../../beyond/the/root",
    near: "../beside",
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, "links", name));
  symlinkSync("loop", join(root, "links/loop"));
  const file = join(runtime.directory, "bound");
  writeFileSync(file, "bound\n");
  const bind = (destination: string, source = file) => ({ destination, source, options: ["bind"] });
  const { stdout, stderr } = await runtime.run({
    script: "cat /made/by/jumping/file /beyond/the/root /beside; readlink /links/far",
    moreMounts: ["far", "up", "near"].map((name) => bind(`/links/${name}`)),
    top: { root: { path: root } },
  });
  assert.equal(stdout, "bound\nbound\nbound\n/links/jump/jumping/file\n", stderr);
  assert.ok(!existsSync(join(root, "../beyond")) && existsSync(join(root, "beyond/the/root")));
  const loop = await runtime.run({ script: "true", moreMounts: [bind("/links/loop")], top: { root: { path: root } } });
  assert.match(loop.stderr, /links\/loop.*(ELOOP|too many)/i);
});

oci("a masked path that is named twice is covered once", async (runtime) => {
  const { stdout } = await runtime.run({
    script: "grep -c ' /masked ' /proc/self/mounts",
    moreMounts: [{ destination: "/masked", type: "tmpfs", source: "tmpfs" }],
    linux: { maskedPaths: ["/masked", "/masked"] },
  });
  assert.equal(stdout, "2\n", "the mount and one mask");
});
