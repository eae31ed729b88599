/** Limits: what the kernel holds of them, what happens when they are reached, and that nothing of them stays. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execOutput, inspect, outputOf, removeAll, runScript, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

const CGROUPS = "/sys/fs/cgroup";
const IS_V1 = !existsSync(join(CGROUPS, "cgroup.controllers"));
const MIB = 1024 * 1024;
const NONE = 2 ** 60;

type Limit = "memory" | "swap" | "reservation" | "quota" | "period" | "shares" | "cpus" | "pids";
/** Where each is; on version 2 as the word of a line. */
const FILES: Record<Limit, [controller: string, file: string, word: number]> = IS_V1
  ? {
      memory: ["memory", "memory.limit_in_bytes", 0],
      swap: ["memory", "memory.memsw.limit_in_bytes", 0],
      reservation: ["memory", "memory.soft_limit_in_bytes", 0],
      quota: ["cpu", "cpu.cfs_quota_us", 0],
      period: ["cpu", "cpu.cfs_period_us", 0],
      shares: ["cpu", "cpu.shares", 0],
      cpus: ["cpuset", "cpuset.cpus", 0],
      pids: ["pids", "pids.max", 0],
    }
  : {
      memory: ["", "memory.max", 0],
      swap: ["", "memory.swap.max", 0],
      reservation: ["", "memory.low", 0],
      quota: ["", "cpu.max", 0],
      period: ["", "cpu.max", 1],
      shares: ["", "cpu.weight", 0],
      cpus: ["", "cpuset.cpus", 0],
      pids: ["", "pids.max", 0],
    };

/** What the kernel holds: a number, `none`, or text. */
async function held(engine: Engine, id: string, limit: Limit): Promise<number | string> {
  const [controller, file, word] = FILES[limit];
  const { cgroupPath } = await inspect(engine, id);
  const text =
    readFileSync(join(CGROUPS, controller, cgroupPath, file), "utf8")
      .trim()
      .split(" ")[word] ?? "";
  if (text === "max" || text === "-1" || Number(text) >= NONE) return "none";
  return limit === "cpus" ? text : Number(text);
}

/** With the flags, each limit is what is expected of it. */
async function assertHeld(
  engine: Engine,
  flags: string[],
  expected: Partial<Record<Limit, number | string>>,
): Promise<void> {
  const id = await startDetached(engine, ["--network", "none", ...flags]);
  const found: Partial<Record<Limit, number | string>> = {};
  for (const limit of Object.keys(expected) as Limit[]) found[limit] = await held(engine, id, limit);
  await removeAll(engine, id);
  assert.deepEqual(found, expected, flags.join(" "));
}

/** Version 2 counts swap alone, version 1 together with memory. */
const swapOf = (memoryBytes: number, sumBytes: number) => (IS_V1 ? sumBytes : sumBytes - memoryBytes);

e2e("without flags a container has 512 MB, as much swap, half a core and 2048 processes", async (engine) => {
  const memory = 512 * MIB;
  const expected = { memory, swap: swapOf(memory, 2 * memory), quota: 50_000, period: 100_000, pids: 2048 };
  await assertHeld(engine, [], expected);
});

e2e("a limit of 0 is none", async (engine) => {
  const flags = ["--memory", "0", "--cpus", "0", "--pids-limit", "0"];
  await assertHeld(engine, flags, { memory: "none", swap: "none", quota: "none", pids: "none" });
});

e2e("limits of memory and swap are those that were asked for", async (engine) => {
  const memory = 64 * MIB;
  const flags = ["--memory", "64m", "--memory-reservation", "32m"];
  await assertHeld(engine, flags, { memory, swap: swapOf(memory, 2 * memory), reservation: 32 * MIB });
  await assertHeld(engine, ["--memory", "64m", "--memory-swap", "64m"], { swap: swapOf(memory, memory) });
  await assertHeld(engine, ["--memory", "64m", "--memory-swap", "-1"], { memory, swap: "none" });
});

e2e("limits of CPU time, shares, cores and processes are those that were asked for", async (engine) => {
  await assertHeld(engine, ["--cpus", "1.5"], { quota: 150_000, period: 100_000 });
  await assertHeld(engine, ["--cpu-period", "50000", "--cpu-quota", "20000"], { quota: 20_000, period: 50_000 });
  await assertHeld(engine, ["--cpuset-cpus", "0", "--pids-limit", "7"], { cpus: "0", pids: 7 });
  await assertHeld(engine, ["--cpu-shares", "2048"], { shares: IS_V1 ? 2048 : 174 });
});

e2e("a container sees its own limits, and only its cores", async (engine) => {
  const [, memory] = FILES.memory;
  const file = IS_V1 ? `/sys/fs/cgroup/memory/${memory}` : `/sys/fs/cgroup/${memory}`;
  assert.equal(await outputOf(engine, `cat ${file}`, ["--memory", "48m"]), `${48 * MIB}\n`);
  assert.equal(await outputOf(engine, "nproc", ["--cpuset-cpus", "0"]), "1\n");
});

e2e(
  "a weight of disk bandwidth is held where the kernel knows one, else it is an error or a warning",
  async (engine) => {
    const { status, stderr } = await runScript(engine, "true", ["--blkio-weight", "500"]);
    if (status === 0) return;
    assert.equal(status, 125);
    assert.match(stderr, /^mycontainer: .*(blkio|io|BFQ|weight)/);
  },
);

e2e("a limit that no kernel can hold is refused with a clear line", async (engine) => {
  for (const flags of [
    ["--memory", "1k"],
    ["--memory", "64m", "--memory-swap", "32m"],
    ["--cpus", "-1"],
    ["--cpuset-cpus", "4000"],
    ["--pids-limit", "many"],
    ["--memory", "99999999999999999999"],
  ]) {
    const { status, stdout, stderr } = await runScript(engine, "echo ran", flags);
    assert.deepEqual([status, stdout], [125, ""], flags.join(" "));
    assert.match(stderr, /^mycontainer: .+\n$/);
  }
});

e2e("more processes than the limit cannot be made, and the container lives on", async (engine) => {
  const script = "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo unreachable";
  const id = await startDetached(engine, ["--network", "none", "--pids-limit", "6"]);
  const { status, stderr } = await engine.call(["exec", id, "sh", "-c", script]);
  assert.notEqual(status, 0);
  assert.match(stderr, /can't fork: Resource temporarily unavailable/);
  assert.equal((await inspect(engine, id)).status, "running");
  await removeAll(engine, id);
});

e2e(
  "a first process that runs out of memory ends the container with 137, and the closing line says why",
  async (engine) => {
    const flags = ["--memory", "16m", "--memory-swap", "16m", "--network", "none"];
    const { status, stderr } = await engine.call(["run", ...flags, "busybox", "tail", "/dev/zero"]);
    assert.equal(status, 137);
    assert.match(
      stderr.trimEnd().split("\n").at(-1) ?? "",
      /Container stopped \(uptime: .*, killed because memory ran out/,
    );
  },
);

e2e("a child that runs out of memory is killed alone", async (engine) => {
  const flags = ["--memory", "16m", "--memory-swap", "16m"];
  const { status, stdout, stderr } = await runScript(engine, "tail /dev/zero; echo status $?; sleep 0", flags);
  assert.deepEqual([status, stdout], [0, "status 137\n"], stderr);
});

e2e("a program of exec that runs out of memory is killed, and the container lives on", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--memory", "16m", "--memory-swap", "16m"]);
  assert.equal((await engine.call(["exec", id, "tail", "/dev/zero"])).status, 137);
  assert.equal(await execOutput(engine, id, "echo", "alive"), "alive\n");
  await removeAll(engine, id);
});

e2e("the kernel holds back who uses more CPU time than the limit", async (engine) => {
  const file = IS_V1 ? "/sys/fs/cgroup/cpu/cpu.stat" : "/sys/fs/cgroup/cpu.stat";
  const script = `i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; grep nr_throttled ${file}`;
  const text = await outputOf(engine, script, ["--cpus", "0.1"]);
  assert.ok(Number(text.split(" ")[1]) > 0, text);
});

type Row = { id: string; cpuPercent: number; memoryBytes: number; memoryLimitBytes: number; pids: number };

async function statsOf(engine: Engine, id: string): Promise<Row> {
  const { status, stdout, stderr } = await engine.call(["stats", "--no-stream", "--format", "json", id]);
  assert.equal(status, 0, stderr);
  const rows = JSON.parse(stdout);
  return Array.isArray(rows) ? rows[0] : rows;
}

e2e("stats tells what is used: a core's share, memory that was taken, processes", async (engine) => {
  const busy = "dd if=/dev/zero of=/tmp/taken bs=1M count=40 2>/dev/null; sleep 1000 & echo ready; while :; do :; done";
  const id = await startDetached(
    engine,
    ["--network", "none", "--memory", "128m", "--cpus", "0.5"],
    ["sh", "-c", busy],
  );
  const logs = engine.start(["logs", "-f", id]);
  await logs.sees("stdout", "ready");
  const row = await statsOf(engine, id);
  assert.ok(row.cpuPercent > 5 && row.cpuPercent < 90, `${row.cpuPercent} % of a core`);
  assert.ok(row.memoryBytes > 40 * MIB && row.memoryBytes < 60 * MIB, `${row.memoryBytes} bytes`);
  assert.deepEqual([row.memoryLimitBytes, row.pids], [128 * MIB, 2]);
  await removeAll(engine, id);
  await logs.ended;
});
