import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  cgroupParent,
  cgroupsNamed,
  cgroupValue,
  IMAGE,
  imageArchive,
  onTerminal,
  RUNTIME,
  run,
  succeed,
  workDirectory,
} from "./engine.ts";

const directory = workDirectory("podman");
const PODMAN = [
  "podman",
  ...["--root", join(directory, "root"), "--runroot", join(directory, "run"), "--log-level", "error"],
  ...["--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", RUNTIME],
];
/** Debian's podman asks for more than root without CAP_SYS_RESOURCE may have. */
const LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

const podman = (...args: string[]) => succeed(directory, [...PODMAN, ...args]);
const tryPodman = (...args: string[]) => run(directory, [...PODMAN, ...args]);
const PARENT = ["--cgroup-parent", cgroupParent("mycontainer-podman")];
const runArgs = (...args: string[]) => ["run", "--network", "none", ...PARENT, ...LIMITS, ...args];

describe("podman", { concurrency: false }, () => {
  before(() => podman("load", "-q", "-i", imageArchive(directory)));
  after(async () => {
    await tryPodman("rm", "-fa", "-t", "0");
    await tryPodman("umount", "-a");
  });

  test("a container's output and exit status come through", async () => {
    const { status, stdout } = await tryPodman(...runArgs("--rm", IMAGE, "sh", "-c", "echo out; exit 7"));
    assert.deepEqual([status, stdout], [7, "out\n"]);
  });

  test("a program that is not there is 127, one that cannot be executed 126", async () => {
    const missing = await tryPodman(...runArgs("--rm", IMAGE, "no-such-program"));
    assert.equal(missing.status, 127, missing.stderr);
    assert.match(missing.stderr, /executable file not found in \$PATH/);
    const directoryInstead = await tryPodman(...runArgs("--rm", IMAGE, "/etc"));
    assert.equal(directoryInstead.status, 126, directoryInstead.stderr);
  });

  test("a detached container is looked at, entered, held, changed, and stopped", async () => {
    const id = await podman(
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
      await podman("inspect", "life", "--format", "{{.State.Status}} {{.OCIRuntime}}"),
      `running ${RUNTIME}`,
    );
    assert.equal(cgroupValue(id, "memory.limit_in_bytes", "memory.max"), String(64 * 1024 * 1024));
    assert.equal(cgroupValue(id, "pids.max", "pids.max"), "50");
    assert.match(cgroupValue(id, "cpu.cfs_quota_us", "cpu.max"), /^50000\b/);
    assert.equal((await tryPodman("exec", "life", "sh", "-c", "exit 4")).status, 4);
    assert.match(
      await podman("exec", "-u", "1000:1001", "-w", "/tmp", "-e", "A=b", "life", "sh", "-c", "id; pwd; echo $A"),
      /uid=1000 gid=1001.*\n\/tmp\nb/,
    );
    assert.match(await podman("top", "life", "pid", "comm"), /1\s+sleep/);
    await podman("pause", "life");
    assert.equal(await podman("inspect", "life", "--format", "{{.State.Status}}"), "paused");
    await podman("unpause", "life");
    await podman("update", "--memory", "80m", "--memory-swap", "80m", "life");
    assert.equal(cgroupValue(id, "memory.limit_in_bytes", "memory.max"), String(80 * 1024 * 1024));
    assert.match(await podman("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "life"), /life 1/);
    await podman("stop", "-t", "0", "life");
    assert.equal(await podman("inspect", "life", "--format", "{{.State.ExitCode}}"), "137");
    await podman("start", "life");
    assert.equal((await tryPodman("exec", "life", "true")).status, 0);
    await podman("kill", "life");
    await podman("wait", "life");
    await podman("rm", "life");
    assert.deepEqual(cgroupsNamed(id), []);
    assert.ok(!existsSync(`/run/mycontainer-runtime/${id}`), "the runtime's state is left");
  });

  test("logs have what a detached container wrote", async () => {
    await podman(...runArgs("-d", "--name", "logs", IMAGE, "sh", "-c", "echo one; echo two >&2"));
    await podman("wait", "logs");
    const { stdout, stderr } = await tryPodman("logs", "logs");
    assert.deepEqual([stdout, stderr], ["one\n", "two\n"]);
    await podman("rm", "logs");
  });

  test("a terminal is one, for run and exec", async () => {
    const ran = await onTerminal(directory, [...PODMAN, ...runArgs("--rm", "-it", IMAGE, "tty")]);
    assert.match(ran.stdout, /\/dev\/pts\/0/);
    await podman(...runArgs("-d", "--name", "terminal", IMAGE, "sleep", "1000"));
    const executed = await onTerminal(directory, [...PODMAN, "exec", "-it", "terminal", "tty"]);
    assert.match(executed.stdout, /\/dev\/pts\/\d/);
    await podman("rm", "-f", "-t", "0", "terminal");
  });

  test("a read-only root, a volume, a tmpfs, another user and no capabilities", async () => {
    const volume = join(directory, "volume");
    mkdirSync(volume);
    writeFileSync(join(volume, "file"), "of the host");
    const { stdout, stderr } = await tryPodman(
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

  test("podman's seccomp profile is in force, and unconfined has none", async () => {
    const filtered = await podman(...runArgs("--rm", IMAGE, "grep", "Seccomp:", "/proc/self/status"));
    assert.match(filtered, /Seccomp:\s+2/);
    const open = await podman(
      ...runArgs("--rm", "--security-opt", "seccomp=unconfined", IMAGE, "grep", "Seccomp:", "/proc/self/status"),
    );
    assert.match(open, /Seccomp:\s+0/);
  });

  test("a privileged container has the host's devices", async () => {
    assert.match(await podman(...runArgs("--rm", "--privileged", IMAGE, "ls", "/dev")), /loop-control|kmsg|mem/);
  });

  test("a check of health is run in the container", async () => {
    await podman(
      ...runArgs("-d", "--health-cmd", "test ! -e /ill", "--health-interval", "disable", "--health-retries", "1"),
      ...["--name", "checked", IMAGE, "sleep", "1000"],
    );
    assert.equal((await tryPodman("healthcheck", "run", "checked")).status, 0);
    await podman("exec", "checked", "touch", "/ill");
    assert.equal((await tryPodman("healthcheck", "run", "checked")).status, 1);
    await podman("rm", "-f", "-t", "0", "checked");
  });

  test("a user namespace maps ids", async () => {
    const map = await podman(
      ...runArgs("--rm", "--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000", IMAGE, "cat", "/proc/self/uid_map"),
    );
    assert.match(map, /^\s*0\s+100000\s+1000$/);
  });

  test("containers of a pod share network, ipc and host name", async () => {
    // The pod's first container is an image that podman would build: a container's namespaces are shared in its place.
    await podman(...runArgs("-d", "--name", "first", "--hostname", "shared", IMAGE, "sleep", "1000"));
    const names = ["net", "ipc", "uts", "pid"];
    const links = names.map((name) => `readlink /proc/self/ns/${name}`).join("; ");
    const own = await podman("exec", "first", "sh", "-c", links);
    const joined = await podman(
      ...[
        "run",
        "--rm",
        ...PARENT,
        ...LIMITS,
        "--network",
        "container:first",
        "--ipc",
        "container:first",
        "--uts",
        "container:first",
      ],
      ...["--pid", "container:first", IMAGE, "sh", "-c", links],
    );
    assert.equal(joined, own);
    await podman("rm", "-f", "-t", "0", "first");
  });

  test("twenty programs at once in one container", async () => {
    await podman(...runArgs("-d", "--name", "busy", IMAGE, "sleep", "1000"));
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) => tryPodman("exec", "busy", "sh", "-c", `exit ${index}`)),
    );
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      Array.from({ length: 20 }, (_, index) => index),
    );
    await podman("rm", "-f", "-t", "0", "busy");
  });
});
