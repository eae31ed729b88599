/** What a container has of its own: namespaces, mounts, devices, ids. */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { execOutput, initPid, outputOf, removeAll, runScript, startDetached } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER, start } from "./harness.ts";
import { parseMounts } from "./kernel-tables.ts";

const ALL_KINDS = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
const IS_V1 = statSync("/sys/fs/cgroup/cgroup.controllers", { throwIfNoEntry: false }) === undefined;
/** On cgroup v1 the cgroup namespace is the host's, as with Docker. */
const OWN_KINDS = ["ipc", "mnt", "net", "pid", "uts", ...(IS_V1 ? [] : ["cgroup"])];

const namespace = (pid: number | "self", kind: string) => readlinkSync(`/proc/${pid}/ns/${kind}`);

e2e("two containers share no namespace with the host or with each other", async (engine) => {
  const one = await startDetached(engine, []);
  const other = await startDetached(engine, []);
  const [pidOfOne, pidOfOther] = [await initPid(engine, one), await initPid(engine, other)];
  for (const kind of OWN_KINDS) {
    const found = new Set([namespace("self", kind), namespace(pidOfOne, kind), namespace(pidOfOther, kind)]);
    assert.equal(found.size, 3, kind);
  }
  await removeAll(engine, one, other);
});

e2e("a program of exec is in all of the container's namespaces", async (engine) => {
  for (const flags of [[], ["--userns", "auto"], ["--cgroupns", "private"], ["--network", "host"]]) {
    const id = await startDetached(engine, flags);
    const list = ["sh", "-c", `cd /proc/self/ns; for kind in ${ALL_KINDS.join(" ")}; do readlink $kind; done`];
    const pid = await initPid(engine, id);
    const expected = ALL_KINDS.map((kind) => namespace(pid, kind));
    assert.deepEqual((await execOutput(engine, id, ...list)).trim().split("\n"), expected, flags.join(" "));
    await removeAll(engine, id);
  }
});

e2e("namespaces that are asked to be the host's are", async (engine) => {
  const id = await startDetached(engine, ["--network", "host", "--pid", "host", "--ipc", "host", "--uts", "host"]);
  const pid = await initPid(engine, id);
  for (const kind of ["ipc", "net", "pid", "uts"]) assert.equal(namespace(pid, kind), namespace("self", kind), kind);
  assert.notEqual(namespace(pid, "mnt"), namespace("self", "mnt"));
  await removeAll(engine, id);
});

e2e("namespaces of another container are shared where that was asked for", async (engine) => {
  const first = await startDetached(engine, []);
  const flags = ["--network", "--pid", "--ipc"].flatMap((flag) => [flag, `container:${first}`]);
  const second = await startDetached(engine, flags);
  const [one, two] = [await initPid(engine, first), await initPid(engine, second)];
  for (const kind of ["ipc", "net", "pid"]) assert.equal(namespace(one, kind), namespace(two, kind), kind);
  for (const kind of ["mnt", "uts"]) assert.notEqual(namespace(one, kind), namespace(two, kind), kind);
  await removeAll(engine, second, first);
});

const EXPECTED_MOUNTS = [
  "/ overlay rw",
  "/dev tmpfs rw",
  "/dev/mqueue mqueue rw",
  "/dev/pts devpts rw",
  "/dev/shm tmpfs rw",
  "/proc proc rw",
  "/proc/bus proc ro",
  "/proc/fs proc ro",
  "/proc/irq proc ro",
  "/proc/sys proc ro",
  "/sys sysfs ro",
  "/tmp tmpfs rw",
];

/** "target type ro|rw" of each mount; the last one on a target counts. */
async function mountsIn(engine: Engine, flags: string[] = []): Promise<Map<string, string>> {
  const table = await outputOf(engine, "cat /proc/self/mountinfo", flags);
  const entries = table
    .trim()
    .split("\n")
    .map((line) => {
      const fields = line.split(" ");
      const type = line.split(" - ")[1]?.split(" ")[0] ?? "";
      return [fields[4] ?? "", `${type} ${fields[5]?.split(",")[0]}`] as const;
    });
  return new Map(entries);
}

e2e("a container's mounts are those of the specification, each as open as it should be", async (engine) => {
  const mounts = await mountsIn(engine);
  const found = EXPECTED_MOUNTS.map((line) => line.split(" ")[0] ?? "").map((path) => `${path} ${mounts.get(path)}`);
  assert.deepEqual(found, EXPECTED_MOUNTS);
  for (const [path, mount] of mounts) {
    if (path.startsWith("/sys/fs/cgroup")) assert.match(mount, / ro$/, path);
  }
  const known = new Set([...EXPECTED_MOUNTS.map((line) => line.split(" ")[0])]);
  const masks =
    /^\/(proc\/(acpi|asound|interrupts|kcore|keys|latency_stats|sched_debug|scsi|sysrq-trigger|timer_list|timer_stats)|sys\/(firmware|devices\/virtual\/powercap))$/;
  const files = /^\/etc\/(hosts|hostname|resolv\.conf)$/;
  const others = [...mounts.keys()].filter(
    (path) => !known.has(path) && !masks.test(path) && !files.test(path) && !path.startsWith("/sys/fs/cgroup"),
  );
  assert.deepEqual(others, []);
});

e2e("masked files are empty, masked directories too, and read-only paths stay so", async (engine) => {
  const script = `
    for file in /proc/interrupts /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do
      test ! -e $file || test "$(head -c 1 $file | wc -c)" = 0 || echo "$file can be read"
    done
    for directory in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do
      test ! -e $directory || test -z "$(ls -A $directory)" || echo "$directory can be read"
    done
    for file in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/vm/overcommit_memory /sys/kernel/mm/transparent_hugepage/enabled; do
      test ! -e $file || { (: >$file) 2>/dev/null && echo "$file can be written to"; }
    done
    mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
    umount /proc/keys 2>/dev/null && echo unmounted
    true`;
  assert.equal(await outputOf(engine, script), "");
});

e2e("with --read-only nothing can be written but what is mounted to be", async (engine) => {
  const script = "for d in / /etc /bin /tmp /dev/shm; do (: >$d/new) 2>/dev/null && echo $d; done; true";
  assert.equal(await outputOf(engine, script, ["--read-only"]), "/tmp\n/dev/shm\n");
  assert.equal((await mountsIn(engine, ["--read-only"])).get("/"), "overlay ro");
});

e2e("while a container runs, nothing of its mounts is in the host's table", async (engine) => {
  const before = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  const id = await startDetached(engine, ["-v", `${engine.directory}:/mnt`, "--tmpfs", "/scratch"]);
  assert.deepEqual(parseMounts(readFileSync("/proc/self/mountinfo", "utf8")), before);
  await removeAll(engine, id);
});

e2e("so it is with a directory as root that lies on a shared mount", async (engine) => {
  const root = join(engine.directory, "shared-root");
  mkdirSync(join(root, "bin"), { recursive: true });
  const script = `
    mount --bind ${root} ${root} && mount --make-shared ${root} && cp "$(command -v busybox)" ${root}/bin/ || exit 1
    before=$(wc -l </proc/self/mountinfo)
    "$1" run -q --network none --rootfs ${root} /bin/busybox true
    test "$before" = "$(wc -l </proc/self/mountinfo)" || cat /proc/self/mountinfo`;
  const command = ["unshare", "--mount", "sh", "-c", script, "sh", MYCONTAINER];
  const { status, stdout, stderr } = await start(engine.directory, command, { env: engine.env }).ended;
  assert.deepEqual([status, stdout], [0, ""], stderr);
});

e2e(
  "what is mounted below a volume on the host later does not come into the container, and nothing goes out",
  async (engine) => {
    const volume = mkdtempSync(join(engine.directory, "volume-"));
    mkdirSync(join(volume, "below"));
    const propagation = async (flags: string) => {
      const { stdout } = await runScript(engine, "grep ' /mnt ' /proc/self/mountinfo", [
        "-v",
        `${volume}:/mnt${flags}`,
      ]);
      return stdout.split(" ").slice(6, 7).join("");
    };
    assert.equal(await propagation(""), "-");
    assert.match(await propagation(":rshared"), /^shared:/);
  },
);

e2e("the host name is the id, or what was asked for, and can be no one else's", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  assert.equal(await execOutput(engine, id, "hostname"), `${id}\n`);
  await removeAll(engine, id);
  assert.equal(
    await outputOf(engine, "hostname; cat /etc/hostname", ["-h", "other.example"]),
    "other.example\nother.example\n",
  );
  const own = readFileSync("/proc/sys/kernel/hostname", "utf8");
  await outputOf(engine, "hostname changed || true", ["--cap-add", "SYS_ADMIN"]);
  assert.equal(readFileSync("/proc/sys/kernel/hostname", "utf8"), own);
});

const DEVICE_LINES = [
  "/dev/full character special file 1:7 666",
  "/dev/null character special file 1:3 666",
  "/dev/random character special file 1:8 666",
  "/dev/tty character special file 5:0 666",
  "/dev/urandom character special file 1:9 666",
  "/dev/zero character special file 1:5 666",
];

e2e("/dev has the nodes and links of the specification and nothing else", async (engine) => {
  const nodes = "stat -c '%n %F %t:%T %a' /dev/full /dev/null /dev/random /dev/tty /dev/urandom /dev/zero";
  assert.deepEqual((await outputOf(engine, nodes)).trim().split("\n"), DEVICE_LINES);
  const names = (await outputOf(engine, "ls /dev")).trim().split("\n").sort();
  const links = ["core", "fd", "ptmx", "stderr", "stdin", "stdout"];
  const expected = [...links, "full", "mqueue", "null", "pts", "random", "shm", "tty", "urandom", "zero"].sort();
  assert.deepEqual(names, expected);
  const targets = await outputOf(engine, `cd /dev; for link in ${links.join(" ")}; do readlink $link; done`);
  assert.equal(targets, "/proc/kcore\n/proc/self/fd\npts/ptmx\n/proc/self/fd/2\n/proc/self/fd/0\n/proc/self/fd/1\n");
});

e2e("with --userns a volume that is read-only stays so, for a privileged root as well", async (engine) => {
  const volume = mkdtempSync(join(engine.directory, "fixed-"));
  chmodSync(volume, 0o777);
  const flags = ["--privileged", "-v", `${volume}:/mnt:ro`];
  const script = "mount -o remount,rw,bind /mnt && : >/mnt/written";
  const without = await engine.call(["run", "--rm", ...flags, "busybox", "sh", "-c", script]);
  assert.equal(without.status, 0, without.stderr);
  unlinkSync(join(volume, "written"));
  const { status, stderr } = await engine.call([
    "run",
    "--rm",
    "--userns",
    "auto",
    ...flags,
    "busybox",
    "sh",
    "-c",
    script,
  ]);
  assert.notEqual(status, 0);
  assert.match(stderr, /permission denied/);
  assert.deepEqual(readdirSync(volume), []);
});

e2e("with --userns the container's root is nobody special outside, and files on a volume are its", async (engine) => {
  const volume = mkdtempSync(join(engine.directory, "owned-"));
  chmodSync(volume, 0o777);
  writeFileSync(join(volume, "of-root"), "secret", { mode: 0o600 });
  const id = await startDetached(engine, ["--userns", "auto", "-v", `${volume}:/mnt`]);
  const pid = await initPid(engine, id);
  const outside = statSync(`/proc/${pid}`).uid;
  assert.ok(outside >= 100_000, `root is ${outside} outside`);
  assert.equal(await execOutput(engine, id, "id", "-u"), "0\n");
  await execOutput(engine, id, "sh", "-c", ": >/mnt/new");
  assert.equal(statSync(join(volume, "new")).uid, outside);
  assert.notEqual((await engine.call(["exec", id, "cat", "/mnt/of-root"])).status, 0);
  assert.equal(await execOutput(engine, id, "stat", "-c", "%u:%g", "/bin/busybox"), "0:0\n");
  await removeAll(engine, id);
});
