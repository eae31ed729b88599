/** Attacks by rights that a container should not have: docs/security.md: R10, R13, R14, R17, R18. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execOutput, inspect, outputOf, removeAll, runScript, startDetached, statusField } from "./containers.ts";
import { e2e } from "./harness.ts";
import { addAttacker, makeRoot } from "./hostile.ts";

const NONE = "0000000000000000";

e2e("inheritable and ambient capabilities are empty, for run and exec and every kind of user", async (engine) => {
  for (const flags of [[], ["-u", "1000"], ["--cap-add", "SYS_ADMIN"], ["--privileged"], ["--userns", "auto"]]) {
    const id = await startDetached(engine, ["--network", "none", ...flags]);
    for (const status of [
      await execOutput(engine, id, "cat", "/proc/1/status"),
      await execOutput(engine, id, "cat", "/proc/self/status"),
      (await engine.call(["exec", "-u", "1000", id, "cat", "/proc/self/status"])).stdout,
      (await engine.call(["exec", "--privileged", id, "cat", "/proc/self/status"])).stdout,
    ]) {
      assert.equal(statusField(status, "CapInh"), NONE);
      assert.equal(statusField(status, "CapAmb"), NONE);
    }
    await removeAll(engine, id);
  }
});

e2e("a user other than root has no capabilities, and cannot gain any", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--cap-add", "SYS_ADMIN"]);
  for (const user of ["1000", "1000:0"]) {
    const { stdout } = await engine.call(["exec", "-u", user, id, "cat", "/proc/self/status"]);
    for (const set of ["CapPrm", "CapEff", "CapInh", "CapAmb"]) assert.equal(statusField(stdout, set), NONE);
    assert.equal(statusField(stdout, "NoNewPrivs"), "1");
  }
  await removeAll(engine, id);
});

const FORBIDDEN = [
  ["b", 8, 0],
  ["c", 1, 1],
  ["c", 1, 2],
  ["c", 10, 232],
  ["c", 10, 229],
  ["c", 5, 1],
  ["b", 7, 0],
] as const;

e2e("device nodes of the host cannot be opened, whoever made them", async (engine) => {
  const root = makeRoot(engine);
  for (const [type, major, minor] of FORBIDDEN) {
    execFileSync("mknod", [join(root, `host-${major}-${minor}`), type, String(major), String(minor)]);
  }
  const script = FORBIDDEN.map(
    ([type, major, minor]) => `
      mknod /own-${major}-${minor} ${type} ${major} ${minor} 2>/dev/null
      for node in /own-${major}-${minor} /host-${major}-${minor}; do
        for way in "<" ">" "<>"; do eval "(: $way$node)" 2>/dev/null && echo "$way$node was opened"; done
      done`,
  ).join("\n");
  const command = ["--network", "none", "--rootfs", root, "sh", "-c", `${script}\ntrue`];
  const { status, stdout, stderr } = await engine.call(["run", "-q", ...command]);
  assert.deepEqual([status, stdout], [0, ""], stderr);
  const { stdout: id } = await engine.call(["run", "-d", "--network", "none", "--rootfs", root, "sleep", "1000"]);
  for (const flags of [[], ["--privileged"]]) {
    const executed = await engine.call(["exec", ...flags, id.trim(), "sh", "-c", `${script}\ntrue`]);
    assert.deepEqual([executed.status, executed.stdout], [0, ""], executed.stderr);
  }
  await removeAll(engine, id.trim());
});

e2e("a device that was asked for can be used as it was asked for, and no other", async (engine) => {
  const script =
    "head -c 1 /dev/loop-control; (: >/dev/loop-control) && echo written; (: </dev/mem) && echo read; true";
  const { stdout } = await runScript(engine, script, ["--device", "/dev/null:/dev/loop-control:r"]);
  assert.equal(stdout, "written\n"); // it is the null device under another name, which all may use
});

const DEVICES = "/sys/fs/cgroup/devices";
/** What runc allows: making nodes, and using those that every container has. */
const ALLOWED = [
  "b *:* m",
  "c *:* m",
  "c 136:* rwm",
  "c 1:3 rwm",
  "c 1:5 rwm",
  "c 1:7 rwm",
  "c 1:8 rwm",
  "c 1:9 rwm",
  "c 5:0 rwm",
  "c 5:2 rwm",
  "c 10:200 rwm",
];

if (existsSync(DEVICES)) {
  e2e("the kernel's list of devices is the default one and nothing else", async (engine) => {
    const id = await startDetached(engine, ["--network", "none"]);
    const { cgroupPath } = await inspect(engine, id);
    const list = readFileSync(join(DEVICES, cgroupPath, "devices.list"), "utf8");
    assert.deepEqual(list.trim().split("\n").sort(), [...ALLOWED].sort());
    await removeAll(engine, id);
  });
}

e2e("the container's cgroup cannot be written to, nor others be seen", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  const script = `
    find /sys/fs/cgroup -name "*" -type f | while read file; do
      (echo 1 >$file) 2>/dev/null && echo "$file can be written to"
    done
    find /sys/fs/cgroup -name release_agent
    mkdir /sys/fs/cgroup/new /sys/fs/cgroup/memory/new 2>/dev/null && echo made
    mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo remounted
    mount -t cgroup -o memory none /mnt 2>/dev/null && echo mounted
    mount -t cgroup2 none /mnt 2>/dev/null && echo mounted
    find /sys/fs/cgroup -type d -name "busybox-*"`;
  assert.equal(await outputOf(engine, script), "");
  await removeAll(engine, id);
});

e2e("no abstract socket of ours is there to be dialled from the host's network", async (engine) => {
  const id = await startDetached(engine, ["-p", "18099:80"]);
  const before = readFileSync("/proc/net/unix", "utf8");
  const { stdout } = await engine.call(["run", "-q", "--network", "host", "busybox", "cat", "/proc/net/unix"]);
  for (const table of [before, stdout]) assert.doesNotMatch(table, / @\S*mycontainer/i);
  const own = stdout.split("\n").filter((line) => / @/.test(line) && line.includes(engine.run));
  assert.deepEqual(own, []);
  await removeAll(engine, id);
});

e2e("letters cannot be typed into the terminal that a container has", async (engine) => {
  const root = makeRoot(engine);
  addAttacker(engine, root);
  const flags = ["--network", "none", "--rootfs", root];
  const terminal = engine.startOnTerminal(["run", "-q", "-t", ...flags, "/attacker", "type"]);
  const { stdout } = await terminal.ended;
  assert.match(stdout, /opened=0 errno=(1|5)\b/);
});

e2e("a container's terminal is a new one, and the caller's is out of its reach", async (engine) => {
  const terminal = engine.startOnTerminal([
    "run",
    "-q",
    "-t",
    "busybox",
    "sh",
    "-c",
    "tty; ls /dev/pts; test -c /dev/console && echo console",
  ]);
  const { stdout } = await terminal.ended;
  assert.deepEqual(
    stdout.replaceAll("\r", "").trim().split(/\s+/).sort(),
    ["/dev/pts/0", "0", "console", "ptmx"].sort(),
  );
});
