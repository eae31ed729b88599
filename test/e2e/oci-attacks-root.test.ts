/**
 * Attacks on the OCI face by what lies in a root, and by what is mounted in it. Where the runtimes of others are known to fail,
 * they are shown to. docs/security.md: R2 to R7.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MYCONTAINER_RUNTIME, start, startOnTerminal } from "./harness.ts";
import { makeRoot } from "./hostile.ts";
import {
  makeBundle,
  namespaces,
  oci,
  type Runtime,
  remove,
  runScript,
  startSleeper,
  stateOf,
  withPeer,
} from "./oci-bundles.ts";

const PROC = { destination: "/proc", type: "proc", source: "proc" };
const SYS = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] };
const DEV = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
const PTS = { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] };

/** A directory of the host, which no container is given. */
function hostDirectory(runtime: Runtime): string {
  const directory = mkdtempSync(join(runtime.directory, "host-"));
  writeFileSync(join(directory, "file"), "of the host\n");
  return directory;
}

/** What the mount table of the host has below a directory. */
const mountsBelow = (directory: string) =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(` ${directory}/`));

for (const [what, mounts] of [
  ["no /dev mount", [PROC]],
  ["a /dev mount", [PROC, DEV]],
  ["mounts in /dev", [PROC, PTS, { destination: "/dev/shm", type: "tmpfs", source: "shm" }]],
] as const) {
  oci(`a /dev that is a link to the host's, with ${what}, changes nothing of the host`, async (runtime) => {
    const root = makeRoot(runtime);
    const host = hostDirectory(runtime);
    const change = {
      mounts: [...mounts],
      linux: { devices: [{ path: "/dev/fuse", type: "c", major: 10, minor: 229 }] },
    };
    for (const link of [host, `/../../../../../../../../..${host}`, "/../devices", "/proc/1/root/dev"]) {
      symlinkSync(link, join(root, "dev"));
      await runScript(runtime, "true", change, root);
      assert.deepEqual(readdirSync(host), ["file"], link);
      rmSync(join(root, "dev"));
    }
  });
}

for (const peer of ["runc", "crun"] as const) {
  oci(`with Debian's ${peer} such a link has nodes and links made in the host's directory`, async (runtime) => {
    const root = makeRoot(runtime);
    const host = hostDirectory(runtime);
    symlinkSync(host, join(root, "dev"));
    await withPeer(peer, runtime, makeBundle(runtime, ["/bin/true"], { mounts: [PROC] }, root));
    assert.ok(readdirSync(host).includes("fd"), `${peer} no longer fails: it serves no more as a comparison`);
  });
}

const SECRET = "/proc/sys/kernel/domainname";
const MASKED = ["/proc/keys", "/proc/timer_list", "/proc/acpi", "/sys/firmware", "/proc/interrupts"];
const READONLY = ["/proc/sysrq-trigger", "/proc/sys", "/proc/irq", "/proc/bus"];
const CHECK_MASKS = `
  for file in /proc/keys /proc/timer_list /proc/interrupts; do
    (echo pwned >$file) 2>/dev/null
    test -s $file && echo "$file is readable"
    test -z "$(cat $file)" || echo "$file can be read"
  done
  for directory in /proc/acpi /sys/firmware; do
    test -z "$(ls -A $directory)" || echo "$directory is not empty"
  done
  for file in /proc/sysrq-trigger /proc/sys/kernel/domainname; do
    (echo pwned >$file) 2>/dev/null && echo "$file can be written to"
  done
  grep -q pwned ${SECRET} && echo "${SECRET} has changed"
  true`;

for (const [what, make] of [
  ["a link to a file of /proc", (path: string) => symlinkSync(SECRET, path)],
  ["a file", (path: string) => writeFileSync(path, "secret\n")],
  ["another device", (path: string) => execFileSync("mknod", [path, "c", "1", "5"])],
  ["a pipe", (path: string) => execFileSync("mkfifo", [path])],
  ["a directory", (path: string) => mkdirSync(path)],
] as const) {
  oci(`masks are masks if the image's null device is ${what}`, async (runtime) => {
    const root = makeRoot(runtime);
    mkdirSync(join(root, "dev"));
    make(join(root, "dev/null"));
    for (const mounts of [
      [PROC, SYS],
      [PROC, SYS, DEV],
    ]) {
      const { status, stdout, stderr } = await runScript(
        runtime,
        CHECK_MASKS.replaceAll("2>/dev/null", "2>/err"),
        { mounts, linux: { maskedPaths: MASKED, readonlyPaths: READONLY } },
        root,
      );
      // Without a /dev of its own, what the image has there is no null device: that is refused.
      if (mounts.includes(DEV)) assert.deepEqual([status, stdout], [0, ""], stderr);
      else assert.deepEqual([status, stdout], [1, ""], stderr);
    }
  });
}

oci("with Debian's runc a mask shows what a null device that is a link leads to", async (runtime) => {
  const root = makeRoot(runtime);
  mkdirSync(join(root, "dev"));
  symlinkSync(SECRET, join(root, "dev/null"));
  const change = { mounts: [PROC], linux: { maskedPaths: ["/proc/keys"] } };
  const bundle = makeBundle(runtime, ["/bin/sh", "-c", "cat /proc/keys >/result"], change, root);
  const { stderr } = await withPeer("runc", runtime, bundle);
  assert.equal(readFileSync(join(root, "result"), "utf8"), "(none)\n", stderr);
});

for (const [name, mount] of [
  ["proc", PROC],
  ["sys", SYS],
] as const) {
  for (const [what, make] of [
    ["a link to another directory of the image", (path: string) => symlinkSync("bin", path)],
    ["a link out of the image", (path: string) => symlinkSync("/../../tmp", path)],
    ["a file", (path: string) => writeFileSync(path, "")],
  ] as const) {
    oci(`a root in which /${name} is ${what} is refused`, async (runtime) => {
      const root = makeRoot(runtime);
      make(join(root, name));
      const { status, stderr } = await runScript(runtime, "true", { mounts: [mount] }, root);
      assert.equal(status, 1);
      assert.match(stderr, new RegExp(`/${name} must be mounted on ordinary directory`));
    });
  }
}

for (const [what, mount, more] of [
  ["a tmpfs on /proc", { destination: "/proc", type: "tmpfs", source: "tmpfs" }, []],
  ["a tmpfs on /proc/self", { destination: "/proc/self", type: "tmpfs", source: "tmpfs" }, [PROC]],
  ["a tmpfs on /proc/1/../sys", { destination: "/proc/1/../sys", type: "tmpfs", source: "tmpfs" }, [PROC]],
  [
    "a bind on /proc/self/attr",
    { destination: "/proc/self/attr", type: "bind", source: "/tmp", options: ["bind"] },
    [PROC],
  ],
  ["a bind on //proc/./sys", { destination: "//proc/./sys", type: "bind", source: "/tmp", options: ["rbind"] }, [PROC]],
  ["a directory bound on /proc", { destination: "/proc", type: "bind", source: "/tmp", options: ["bind"] }, []],
  [
    "a part of /proc bound on /proc",
    { destination: "/proc", type: "bind", source: "/proc/sys", options: ["bind"] },
    [],
  ],
  ["a tmpfs by a link into /proc", { destination: "/link/self", type: "tmpfs", source: "tmpfs" }, [PROC]],
  [
    "a bind by a link into /proc",
    { destination: "/link/sys", type: "bind", source: "/tmp", options: ["bind"] },
    [PROC],
  ],
] as const) {
  oci(`${what} is refused, also where labels and sysctls are written later`, async (runtime) => {
    const root = makeRoot(runtime);
    symlinkSync("/proc", join(root, "link"));
    const { status, stdout, stderr } = await runScript(runtime, "true", { mounts: [...more, mount] }, root);
    assert.deepEqual([status, stdout], [1, ""], stderr);
    assert.match(stderr, /proc/);
  });
}

oci("a sysctl and the OOM score reach the kernel, whatever the image has at their place", async (runtime) => {
  const root = makeRoot(runtime);
  mkdirSync(join(root, "proc/sys/net/ipv4"), { recursive: true });
  mkdirSync(join(root, "proc/self"));
  for (const file of ["proc/sys/net/ipv4/ip_forward", "proc/self/oom_score_adj"]) writeFileSync(join(root, file), "");
  const change = { mounts: [DEV], process: { oomScoreAdj: 321 }, linux: { sysctl: { "net.ipv4.ip_forward": "1" } } };
  const script = "mount -t proc proc /proc && cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj";
  const sysadmin = ["CAP_SYS_ADMIN"];
  const process = { ...change.process, capabilities: { bounding: sysadmin, effective: sysadmin, permitted: sysadmin } };
  const { stdout, stderr } = await runScript(runtime, script, { ...change, process }, root);
  assert.equal(stdout, "1\n321\n", stderr);
  for (const file of ["proc/sys/net/ipv4/ip_forward", "proc/self/oom_score_adj"]) {
    assert.equal(readFileSync(join(root, file), "utf8"), "");
  }
});

for (const [what, sysctl, without, message] of [
  ["without a namespace", { "kernel.pid_max": "4194304" }, [], /not in a separate kernel namespace/],
  ["of the host's IPC namespace", { "kernel.msgmax": "1" }, ["ipc"], /not allowed in the host's ipc namespace/],
  ["of the host's network", { "net.ipv4.ip_forward": "1" }, ["network"], /not allowed in the host's network namespace/],
  [
    "of the host's, by slashes",
    { "net/ipv4/ip_forward": "1" },
    ["network"],
    /not allowed in the host's network namespace/,
  ],
  ["that leads elsewhere", { "net/../kernel/domainname": "pwned" }, [], /no name of a kernel parameter/],
  ["that is a path", { "/etc/passwd": "pwned" }, [], /no name of a kernel parameter/],
] as const) {
  oci(`a kernel parameter ${what} is refused`, async (runtime) => {
    const { status, stderr } = await runScript(runtime, "true", {
      linux: { namespaces: namespaces([...without]), sysctl },
    });
    assert.equal(status, 1);
    assert.match(stderr, message);
  });
}

/** That of the container, if it is the host's by its path: those of this process would be changed. */
for (const [type, file, change] of [
  ["network", "net", { linux: { sysctl: { "net.ipv4.ip_default_ttl": "77" } } }],
  ["ipc", "ipc", { linux: { sysctl: { "kernel.shmmni": "777" } } }],
  ["uts", "uts", { hostname: "", linux: { sysctl: { "kernel.domainname": "pwned" } } }],
  ["uts", "uts", { hostname: "pwned" }],
  ["uts", "uts", { hostname: "", domainname: "pwned" }],
] as const) {
  oci(
    `a ${type} namespace with a path that is the host's is the host's: ${JSON.stringify(change)} is refused`,
    async (runtime) => {
      const joined = namespaces([type], [{ type, path: `/proc/self/ns/${file}` }]);
      const linux = { ...("linux" in change ? change.linux : {}), namespaces: joined };
      const bundle = makeBundle(runtime, ["/bin/true"], { ...change, linux });
      const tell =
        "cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/shmmni /proc/sys/kernel/domainname; hostname";
      const command = `${MYCONTAINER_RUNTIME} --root ${runtime.root} run --bundle ${bundle} joined`;
      const script = `(${tell}) >before; ${command}; echo $?; (${tell}) | cmp before -`;
      const unshared = ["unshare", "--net", "--ipc", "--uts", "sh", "-c", script];
      const options = { env: runtime.env, cwd: runtime.directory };
      const { status, stdout, stderr } = await start(runtime.directory, unshared, options).ended;
      assert.deepEqual([status, stdout], [0, "1\n"], stderr);
      assert.match(stderr, new RegExp(`not allowed in the host's ${type} namespace`));
    },
  );
}

for (const name of ["dev/console", "dev/pts", "dev/ptmx", "dev/tty", "dev/fd"]) {
  oci(`a terminal with /${name} swapped for a link to the host changes nothing there`, async (runtime) => {
    const root = makeRoot(runtime);
    const host = hostDirectory(runtime);
    mkdirSync(join(root, "dev"));
    symlinkSync(`/../../../../../../../..${host}/file`, join(root, name));
    const before = statSync(join(host, "file"));
    for (const mounts of [[PROC, PTS], [PROC, DEV, PTS], [PROC]]) {
      const bundle = makeBundle(runtime, ["/bin/sh", "-c", "tty"], { mounts, process: { terminal: true } }, root);
      const command = ["run", "--bundle", bundle, "terminal"];
      const line = [MYCONTAINER_RUNTIME, "--root", runtime.root, ...command];
      await startOnTerminal(runtime.directory, line, { env: runtime.env }).ended;
      const after = statSync(join(host, "file"));
      assert.deepEqual(
        [after.uid, after.gid, after.mode, after.ino],
        [before.uid, before.gid, before.mode, before.ino],
      );
      assert.equal(readFileSync(join(host, "file"), "utf8"), "of the host\n");
      assert.deepEqual(mountsBelow(host), []);
    }
  });
}

oci("the host's mount namespace cannot be taken away from it", async (runtime) => {
  const linux = { namespaces: namespaces(["mount"], [{ type: "mount", path: "/proc/self/ns/mnt" }]) };
  const bundle = makeBundle(runtime, ["/bin/true"], { linux });
  const command = `${MYCONTAINER_RUNTIME} --root ${runtime.root} run --bundle ${bundle} joined`;
  const script = `cat /proc/self/mountinfo >before; ${command}; echo $?; cmp before /proc/self/mountinfo`;
  const { status, stdout, stderr } = await start(runtime.directory, ["unshare", "--mount", "sh", "-c", script], {
    env: runtime.env,
    cwd: runtime.directory,
  }).ended;
  assert.deepEqual([status, stdout], [0, "1\n"], stderr);
  assert.match(stderr, /the mount namespace is the host's/);
  const without = await runScript(runtime, "true", { linux: { namespaces: namespaces(["mount"]) } });
  assert.equal(without.status, 1);
  assert.match(without.stderr, /mount namespace/);
});

oci("a root that is no directory, or is the host's own root, is refused or harmless", async (runtime) => {
  const before = readFileSync("/proc/self/mountinfo", "utf8");
  for (const path of [join(runtime.directory, "none"), "/etc/passwd", "/proc/self/exe"]) {
    const { status, stderr } = await runScript(runtime, "true", {}, path);
    assert.equal(status, 1);
    assert.match(stderr, /invalid rootfs/);
  }
  await runScript(runtime, "true", { mounts: [], linux: { maskedPaths: MASKED } }, "/");
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8"), before);
});

oci("a container that waits shows nothing of the host by its root and working directory", async (runtime) => {
  await startSleeper(runtime, "rooted");
  const { pid } = await stateOf(runtime, "rooted");
  assert.deepEqual(
    readFileSync(`/proc/${pid}/mountinfo`, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(" ")[4]),
    ["/", "/proc", "/dev"],
  );
  await remove(runtime, "rooted");
});
