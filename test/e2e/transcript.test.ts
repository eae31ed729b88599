/** Every line of the transcript that the engine is known by. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { e2e } from "./harness.ts";

/** The lines of progress, with what changes from run to run replaced. */
function shape(stderr: string): string[] {
  return stderr
    .replaceAll(/busybox-[0-9a-f]{6}/g, "ID")
    .replaceAll(/veth([01])-[0-9a-f]{6}/g, "veth$1-HEX")
    .replaceAll(/boot time: [0-9.]+ ?m?s/g, "boot time: T")
    .replaceAll(/uptime: [0-9a-z. ]+\)/g, "uptime: T)")
    .replaceAll(/172\.16\.0\.\d+/g, "172.16.0.N")
    .replaceAll(/Extracting busybox rootfs to \S+/g, "Extracting busybox rootfs to PATH")
    .replaceAll(/Creating cgroup: \/sys\/fs\/cgroup\/\S+/g, "Creating cgroup: CGROUP")
    .split("\n")
    .filter((line) => line.trim() !== "");
}

e2e("a run prints what is done, in the transcript's words and order, on standard error", async (engine) => {
  const { status, stdout, stderr } = await engine.call(["run", "busybox", "/bin/sh", "-c", "echo hello"]);
  assert.equal(status, 0);
  assert.equal(stdout, "hello\n");
  assert.deepEqual(shape(stderr), [
    "[MyContainer] Creating container 'ID'",
    "[MyContainer] Setting up namespaces...",
    "  ✓ PID namespace (isolated process tree)",
    "  ✓ Mount namespace (isolated filesystem)",
    "  ✓ Network namespace (isolated network stack)",
    "  ✓ UTS namespace (isolated hostname)",
    "  ✓ IPC namespace (isolated IPC resources)",
    "[MyContainer] Setting up root filesystem...",
    "  → Extracting busybox rootfs to PATH",
    "  → Mounting proc, sys, dev",
    "  → Pivot root to container rootfs",
    "[MyContainer] Configuring cgroups...",
    "  → Memory limit: 512 MB",
    "  → CPU limit: 50% of 1 core",
    "  → Creating cgroup: CGROUP",
    "[MyContainer] Setting up networking...",
    "  → Creating veth pair: veth0-HEX <-> veth1-HEX",
    "  → Moving veth1-HEX into container namespace",
    "  → Assigning IP: 172.16.0.N/24",
    "  → Setting up NAT on host",
    "[MyContainer] Container ready! (boot time: T)",
    "[MyContainer] Cleaning up container 'ID'...",
    "  → Removing veth pair",
    "  → Deleting cgroup",
    "  → Unmounting filesystems",
    "  → Removing rootfs",
    "[MyContainer] Container stopped (uptime: T)",
  ]);
});

e2e("the progress tells the path of the container's directory and of its cgroup", async (engine) => {
  const { stderr } = await engine.call(["run", "busybox", "true"]);
  const id = /Creating container '(\S+)'/.exec(stderr)?.[1] ?? "";
  assert.match(id, /^busybox-[0-9a-f]{6}$/);
  assert.match(stderr, new RegExp(`Extracting busybox rootfs to ${engine.root}/${id}/rootfs`));
  assert.match(stderr, new RegExp(`Creating cgroup: /sys/fs/cgroup/\\S*mycontainer/${id}`));
  assert.equal(existsSync(`${engine.root}/${id}`), false);
});

e2e("--quiet silences the progress", async (engine) => {
  const { status, stdout, stderr } = await engine.call(["run", "--quiet", "busybox", "echo", "hello"]);
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "hello\n", stderr: "" });
});

e2e("what was not done is not printed: no network, no line of it", async (engine) => {
  const { stderr } = await engine.call(["run", "--network", "none", "busybox", "true"]);
  assert.doesNotMatch(stderr, /networking|veth|NAT|Assigning/);
  const host = await engine.call(["run", "--network", "host", "busybox", "true"]);
  assert.doesNotMatch(host.stderr, /networking|veth|NAT|Network namespace/);
});

e2e("limits of 0 are none, and nothing is printed of them", async (engine) => {
  const { stderr } = await engine.call(["run", "--memory", "0", "--cpus", "0", "busybox", "true"]);
  assert.doesNotMatch(stderr, /Memory limit|CPU limit/);
});

e2e("a shell on a terminal is the transcript's: PID 1, hostname, addresses, prompt", async (engine) => {
  const terminal = engine.startOnTerminal(["run", "busybox", "/bin/sh"]);
  await terminal.sees("stdout", "/ # ");
  const id = /Creating container '(\S+)'/.exec(terminal.stdout())?.[1] ?? "";
  terminal.write("ps aux\n");
  await terminal.sees("stdout", /\n\s*1 (root|0)\s+.*\/bin\/sh/);
  terminal.write("hostname\n");
  await terminal.sees("stdout", `\n${id}`);
  terminal.write("ip addr\n");
  await terminal.sees("stdout", /inet 127\.0\.0\.1\/8[\s\S]*eth0@if\d+[\s\S]*inet 172\.16\.0\.\d+\/24/);
  assert.doesNotMatch(terminal.stdout(), /job control/);
  terminal.write("exit\n");
  const { status, stdout } = await terminal.ended;
  assert.equal(status, 0);
  assert.match(stdout, /Container stopped \(uptime: /);
});

e2e("a terminal has the size of ours, and follows it", async (engine) => {
  const terminal = engine.startOnTerminal(["run", "--quiet", "-it", "busybox", "/bin/sh"]);
  await terminal.sees("stdout", "/ # ");
  terminal.resize(41, 123);
  terminal.write("stty size\n");
  await terminal.sees("stdout", "41 123");
  // The program is told of another size (SIGWINCH), also while it waits.
  terminal.write("sh -c 'trap \"stty size; exit\" WINCH; echo waiting; while :; do sleep 0.1; done'\n");
  await terminal.sees("stdout", /waiting\r?\n/);
  terminal.resize(50, 99);
  await terminal.sees("stdout", "50 99");
  terminal.write("exit 3\n");
  assert.equal((await terminal.ended).status, 3);
});

e2e("on cgroup v1 a container sees its cgroup's path, on v2 only its own root", async (engine) => {
  const { stdout, stderr } = await engine.call(["run", "busybox", "cat", "/proc/1/cgroup"]);
  const id = /Creating container '(\S+)'/.exec(stderr)?.[1] ?? "";
  if (existsSync("/sys/fs/cgroup/cgroup.controllers")) assert.equal(stdout, "0::/\n");
  else assert.match(stdout, new RegExp(`^\\d+:memory:/mycontainer/${id}$`, "m"));
});

e2e("filling /tmp ends in 'No space left on device', and nobody is killed", async (engine) => {
  const script = "dd if=/dev/zero of=/tmp/test bs=1M count=600; echo alive";
  const { status, stdout, stderr } = await engine.call(["run", "busybox", "sh", "-c", script]);
  assert.equal(status, 0);
  assert.equal(stdout, "alive\n");
  assert.match(stderr, /dd: .*No space left on device/);
});

for (const memory of ["64m", "16m", "6m"]) {
  e2e(`filling /tmp under a limit of ${memory} ends in ENOSPC as well`, async (engine) => {
    const script = "dd if=/dev/zero of=/tmp/test bs=64k count=2000; echo alive";
    const { status, stdout, stderr } = await engine.call(["run", "--memory", memory, "busybox", "sh", "-c", script]);
    assert.deepEqual([status, stdout], [0, "alive\n"], stderr);
    assert.match(stderr, /No space left on device/);
  });
}

e2e("a program that exceeds the memory limit is killed: 137, and the closing line says why", async (engine) => {
  const script = "tail /dev/zero";
  const { status, stderr } = await engine.call([
    "run",
    "--memory",
    "32m",
    "--memory-swap",
    "32m",
    "busybox",
    "sh",
    "-c",
    `exec ${script}`,
  ]);
  assert.equal(status, 137);
  assert.match(stderr.trimEnd().split("\n").at(-1) ?? "", /Container stopped .*memory/);
});

e2e("stats shows one line a container, in the transcript's columns", async (engine) => {
  const { stdout: id } = await engine.call(["run", "-d", "busybox", "sleep", "1000"]);
  const { status, stdout } = await engine.call(["stats", "--no-stream"]);
  assert.equal(status, 0);
  const [header, row] = stdout.split("\n");
  assert.match(header ?? "", /^CONTAINER\s+CPU\s+MEM USAGE \/ LIMIT\s+NET I\/O\s+PIDS$/);
  assert.match(
    row ?? "",
    new RegExp(`^${id.trim()}\\s+[0-9.]+%\\s+[0-9.]+[KM]?B / 512MB\\s+[0-9.]+[KM]?B / [0-9.]+[KM]?B\\s+1$`),
  );
  await engine.call(["rm", "-f", id.trim()]);
});
