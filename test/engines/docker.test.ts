import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { start } from "../e2e/harness.ts";
import {
  cgroupParent,
  cgroupsNamed,
  cgroupValue,
  IMAGE,
  imageArchive,
  onTerminal,
  RUNTIME,
  run,
  startDaemon,
  succeed,
  workDirectory,
} from "./engine.ts";

const directory = workDirectory("docker");
const socket = `unix://${join(directory, "docker.sock")}`;
const docker = (...args: string[]) => succeed(directory, ["docker", "-H", socket, ...args]);
const tryDocker = (...args: string[]) => run(directory, ["docker", "-H", socket, ...args]);
const runArgs = (...args: string[]) => ["run", "--network", "none", ...args];

const daemon = startDaemon(directory, [
  ...["dockerd", "-H", socket, "--data-root", join(directory, "data"), "--exec-root", join(directory, "exec")],
  ...[
    "--pidfile",
    join(directory, "pid"),
    "--iptables=false",
    "--bridge=none",
    "--cgroup-parent",
    cgroupParent("mycontainer-docker"),
  ],
  ...["--add-runtime", `mycontainer=${RUNTIME}`, "--default-runtime", "mycontainer"],
]);

describe("Docker", { concurrency: false }, () => {
  before(async () => {
    await daemon.sees("stderr", "API listen on");
    await docker("load", "-q", "-i", imageArchive(directory));
  });
  after(async () => {
    const ids = (await tryDocker("ps", "-aq")).stdout.split("\n").filter((id) => id !== "");
    if (ids.length > 0) await tryDocker("rm", "-f", ...ids);
  });

  test("a container's output and exit status come through", async () => {
    const { status, stdout, stderr } = await tryDocker(...runArgs("--rm", IMAGE, "sh", "-c", "echo out; exit 7"));
    assert.deepEqual([status, stdout], [7, "out\n"], stderr);
  });

  test("a program that is not there is 127, one that cannot be executed 126", async () => {
    const missing = await tryDocker(...runArgs("--rm", IMAGE, "no-such-program"));
    assert.equal(missing.status, 127, missing.stderr);
    const directoryInstead = await tryDocker(...runArgs("--rm", IMAGE, "/etc"));
    assert.equal(directoryInstead.status, 126, directoryInstead.stderr);
  });

  test("a detached container is looked at, entered, held, changed, and stopped", async () => {
    const id = await docker(
      ...runArgs(
        "-d",
        "--name",
        "life",
        "--memory",
        "64m",
        "--pids-limit",
        "50",
        "--cpus",
        "0.5",
        IMAGE,
        "sleep",
        "1000",
      ),
    );
    assert.equal(
      await docker("inspect", "life", "-f", "{{.State.Status}} {{.HostConfig.Runtime}}"),
      "running mycontainer",
    );
    assert.equal(cgroupValue(id, "memory.limit_in_bytes", "memory.max"), String(64 * 1024 * 1024));
    assert.equal(cgroupValue(id, "pids.max", "pids.max"), "50");
    assert.match(cgroupValue(id, "cpu.cfs_quota_us", "cpu.max"), /^50000\b/);
    assert.equal((await tryDocker("exec", "life", "sh", "-c", "exit 4")).status, 4);
    assert.match(
      await docker("exec", "-u", "1000:1001", "-w", "/tmp", "-e", "A=b", "life", "sh", "-c", "id; pwd; echo $A"),
      /uid=1000 gid=1001.*\n\/tmp\nb/,
    );
    assert.match(await docker("top", "life"), /sleep 1000/);
    await docker("pause", "life");
    assert.equal(await docker("inspect", "life", "-f", "{{.State.Status}}"), "paused");
    await docker("unpause", "life");
    await docker("update", "--memory", "80m", "--memory-swap", "80m", "life");
    assert.equal(cgroupValue(id, "memory.limit_in_bytes", "memory.max"), String(80 * 1024 * 1024));
    assert.match(await docker("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "life"), /life 1/);
    await docker("stop", "-t", "0", "life");
    assert.equal(await docker("inspect", "life", "-f", "{{.State.ExitCode}}"), "137");
    await docker("start", "life");
    assert.equal((await tryDocker("exec", "life", "true")).status, 0);
    await docker("rm", "-f", "life");
    assert.deepEqual(cgroupsNamed(id), []);
  });

  test("logs have what a detached container wrote", async () => {
    await docker(...runArgs("-d", "--name", "logs", IMAGE, "sh", "-c", "echo one; echo two >&2"));
    await docker("wait", "logs");
    const { stdout, stderr } = await tryDocker("logs", "logs");
    assert.deepEqual([stdout, stderr], ["one\n", "two\n"]);
  });

  test("a terminal is one, for run and exec", async () => {
    const ran = await onTerminal(directory, ["docker", "-H", socket, ...runArgs("--rm", "-it", IMAGE, "tty")]);
    assert.match(ran.stdout, /\/dev\/pts\/0/);
    await docker(...runArgs("-d", "--name", "terminal", IMAGE, "sleep", "1000"));
    const executed = await onTerminal(directory, ["docker", "-H", socket, "exec", "-it", "terminal", "tty"]);
    assert.match(executed.stdout, /\/dev\/pts\/\d/);
  });

  test("a read-only root, a volume, a tmpfs, another user and no capabilities", async () => {
    const volume = join(directory, "volume");
    mkdirSync(volume);
    writeFileSync(join(volume, "file"), "of the host");
    const { stdout, stderr } = await tryDocker(
      ...runArgs(
        "--rm",
        "--read-only",
        "-v",
        `${volume}:/volume:ro`,
        "--tmpfs",
        "/scratch",
        "--cap-drop",
        "ALL",
        "-u",
        "5",
      ),
      ...[
        IMAGE,
        "sh",
        "-c",
        "id -u; cat /volume/file; touch /x; touch /volume/x; touch /scratch/x; grep CapBnd /proc/self/status",
      ],
    );
    assert.match(stdout, /^5\nof the hostCapBnd:\s+0{16}\n$/, stderr);
    assert.match(stderr, /\/x: Read-only file system[\s\S]*\/volume\/x: Read-only file system/);
  });

  test("a container without a network has the loopback alone, and another one can join its namespaces", async () => {
    const links = ["net", "ipc", "pid"].map((name) => `readlink /proc/self/ns/${name}`).join("; ");
    await docker(...runArgs("-d", "--ipc", "shareable", "--name", "first", IMAGE, "sleep", "1000"));
    assert.equal(await docker("exec", "first", "ls", "/sys/class/net"), "lo");
    const joined = await docker(
      ...["run", "--rm", "--network", "container:first", "--ipc", "container:first", "--pid", "container:first"],
      ...[IMAGE, "sh", "-c", links],
    );
    assert.equal(joined, await docker("exec", "first", "sh", "-c", links));
  });

  test("a container whose check of health passes is healthy, and then is not", async () => {
    const health = start(
      directory,
      [
        "docker",
        "-H",
        socket,
        "events",
        "--since",
        "0",
        "--filter",
        "container=checked",
        "--filter",
        "event=health_status",
      ],
      { timeoutMs: 30_000 },
    );
    await docker(
      ...runArgs("-d", "--health-cmd", "test ! -e /ill", "--health-interval", "500ms", "--health-retries", "1"),
      ...["--name", "checked", IMAGE, "sleep", "1000"],
    );
    await health.sees("stdout", "health_status: healthy");
    await docker("exec", "checked", "touch", "/ill");
    await health.sees("stdout", "health_status: unhealthy");
    health.signal("SIGTERM");
    await health.ended;
  });

  test("an init of docker's reaps, and a container is started again after it failed", async () => {
    assert.match(await docker(...runArgs("--rm", "--init", IMAGE, "ps")), /docker-init|tini/);
    await docker(...runArgs("-d", "--restart", "on-failure:2", "--name", "again", IMAGE, "sh", "-c", "exit 5"));
    await docker("wait", "again");
    assert.equal(await docker("inspect", "again", "-f", "{{.RestartCount}} {{.State.ExitCode}}"), "2 5");
  });

  test("docker's seccomp profile is in force, and a privileged container has the host's devices", async () => {
    assert.match(await docker(...runArgs("--rm", IMAGE, "grep", "Seccomp:", "/proc/self/status")), /Seccomp:\s+2/);
    assert.match(await docker(...runArgs("--rm", "--privileged", IMAGE, "ls", "/dev")), /loop-control|kmsg|mem/);
  });

  test("twenty programs at once in one container", async () => {
    await docker(...runArgs("-d", "--name", "busy", IMAGE, "sleep", "1000"));
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => tryDocker("exec", "busy", "sh", "-c", `exit ${index}`)),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      Array.from({ length: 20 }, (_, index) => index),
    );
  });
});
