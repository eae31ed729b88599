import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
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
  startDaemon,
  succeed,
  workDirectory,
} from "./engine.ts";

const directory = workDirectory("containerd");
const socket = join(directory, "containerd.sock");
const CTR = ["ctr", "-a", socket];
const ctr = (...args: string[]) => succeed(directory, [...CTR, ...args]);
const tryCtr = (...args: string[]) => run(directory, [...CTR, ...args]);
const LIFE = "life-in-ctr";
const PARENT = cgroupParent("mycontainer-ctr");
const runArgs = (cgroup: string, ...args: string[]) => [
  ...["run", "--runc-binary", RUNTIME, "--fifo-dir", join(directory, "fifo")],
  ...["--cgroup", join(PARENT, cgroup), ...args],
];

const CONFIG = `version = 2
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
`;

writeFileSync(join(directory, "config.toml"), CONFIG);
const daemon = startDaemon(directory, ["containerd", "-c", join(directory, "config.toml")]);

describe("containerd", { concurrency: false }, () => {
  before(async () => {
    await daemon.sees("stderr", "containerd successfully booted");
    await ctr("image", "import", imageArchive(directory));
  });
  after(async () => {
    for (const id of (await tryCtr("container", "ls", "-q")).stdout.split("\n").filter((line) => line !== "")) {
      await tryCtr("task", "rm", "-f", id);
      await tryCtr("container", "rm", id);
    }
  });

  test("a container's output and exit status come through", async () => {
    const { status, stdout, stderr } = await tryCtr(
      ...runArgs("out", "--rm", IMAGE, "out", "sh", "-c", "echo out; exit 9"),
    );
    assert.deepEqual([status, stdout], [9, "out\n"], stderr);
  });

  test("a program that is not there is an error that says so", async () => {
    const { status, stderr } = await tryCtr(...runArgs("missing", "--rm", IMAGE, "missing", "no-such-program"));
    assert.notEqual(status, 0);
    assert.match(stderr, /executable file not found in \$PATH/);
  });

  test("a detached task is looked at, entered, held and killed", async () => {
    await ctr(...runArgs(LIFE, "-d", "--memory-limit", "50003968", IMAGE, LIFE, "sleep", "1000"));
    assert.equal(cgroupValue(LIFE, "memory.limit_in_bytes", "memory.max"), "50003968");
    const executed = await tryCtr(
      "task",
      "exec",
      "--fifo-dir",
      join(directory, "fifo"),
      "--exec-id",
      "one",
      LIFE,
      "sh",
      "-c",
      "id -u; exit 4",
    );
    assert.deepEqual([executed.status, executed.stdout], [4, "0\n"], executed.stderr);
    await ctr("task", "pause", LIFE);
    assert.match(await ctr("task", "ls"), /life-in-ctr\s+\d+\s+PAUSED/);
    await ctr("task", "resume", LIFE);
    assert.match(await ctr("task", "metrics", LIFE), /memory/);
    assert.match(await ctr("task", "ps", LIFE), /^PID/);
    await ctr("task", "rm", "-f", LIFE).catch(() => undefined);
    await ctr("container", "rm", LIFE);
    assert.doesNotMatch(await ctr("task", "ls"), /life-in-ctr/);
    assert.deepEqual(cgroupsNamed(LIFE), []);
  });

  test("a terminal is one", async () => {
    const { stdout } = await onTerminal(directory, [
      ...CTR,
      ...runArgs("terminal", "--rm", "-t", IMAGE, "terminal", "tty"),
    ]);
    assert.match(stdout, /\/dev\/pts\/0/);
  });
});
