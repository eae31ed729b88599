/** `update`: limits of containers that run, and that do not. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { inspect, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** What the kernel has: memory limit, number of processes. */
async function limitsOf(engine: Engine, id: string): Promise<string[]> {
  const { cgroupPath } = await inspect(engine, id);
  const read = (v1: string, v2: string) => {
    const path = `/sys/fs/cgroup/${v1.split(".")[0]}${cgroupPath}/${v1}`;
    return readFileSync(existsSync(path) ? path : `/sys/fs/cgroup${cgroupPath}/${v2}`, "utf8").trim();
  };
  return [read("memory.limit_in_bytes", "memory.max"), read("pids.max", "pids.max")];
}

const MIB = 2 ** 20;

e2e("limits change while a container runs, stay for its next start, and others are as they were", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--memory", "32m", "--pids-limit", "50"]);
  assert.equal(await answer(engine, "update", "--memory", "48m", id), id);
  assert.deepEqual(await limitsOf(engine, id), [String(48 * MIB), "50"]);
  await answer(engine, "update", "--pids-limit", "60", "--cpus", "0.25", id);
  assert.deepEqual(await limitsOf(engine, id), [String(48 * MIB), "60"]);
  await answer(engine, "restart", "-t", "0", id);
  assert.deepEqual(await limitsOf(engine, id), [String(48 * MIB), "60"]);
  const { config } = JSON.parse(await answer(engine, "inspect", id))[0];
  assert.equal(config.linux.resources.cpu.quota, 25_000);
  await answer(engine, "stop", "-t", "0", id);
  await answer(engine, "update", "--memory", "40m", "--pids-limit", "0", id);
  await answer(engine, "start", id);
  assert.deepEqual(await limitsOf(engine, id), [String(40 * MIB), "max"]);
  await removeAll(engine, id);
});

e2e("a limit of a container that is removed at its end is changed, too", async (engine) => {
  const id = await startDetached(engine, ["--rm", "--network", "none"]);
  await answer(engine, "update", "-m", "64m", id);
  await answer(engine, "update", "-m", "96m", "--pids-limit", "9", id);
  assert.deepEqual(await limitsOf(engine, id), [String(96 * MIB), "9"]);
  await removeAll(engine, id);
});

e2e("limits that contradict each other are refused, and nothing changes", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--memory", "32m", "--memory-swap", "48m"]);
  const before = await limitsOf(engine, id);
  for (const [flags, message] of [
    [["--memory", "64m"], /--memory-swap \(50331648 bytes\) is below the memory limit/],
    [["--cpus", "1", "--cpu-quota", "5000"], /contradict each other/],
    [["--memory", "x"], /memory/],
    [[], /'update' needs a limit/],
  ] as const) {
    const { status, stderr } = await engine.call(["update", ...flags, id]);
    assert.notEqual(status, 0);
    assert.match(stderr, message);
  }
  assert.deepEqual(await limitsOf(engine, id), before);
  await removeAll(engine, id);
});
