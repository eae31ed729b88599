/** Many containers at once: none fails, and none leaves anything behind. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type Engine, e2e, MYCONTAINER, type Outcome, start } from "./harness.ts";

/** Does `count` things, `width` at a time. */
async function concurrently(count: number, width: number, one: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

e2e("fifty containers, eight at a time, all run and leave nothing", async (engine) => {
  await concurrently(50, 8, async (index) => {
    const flags = index % 2 === 0 ? [] : ["--memory", "32m", "--pids-limit", "20"];
    const { status, stdout, stderr } = await engine.call(["run", "-q", ...flags, "busybox", "echo", String(index)]);
    assert.deepEqual([status, stdout, stderr], [0, `${index}\n`, ""]);
  });
});

e2e(
  "detached containers that are made, entered and removed at the same time do not disturb each other",
  async (engine) => {
    await concurrently(24, 8, async (index) => {
      const name = `worker-${index}`;
      const started = await engine.call(["run", "-d", "--name", name, "busybox", "sleep", "1000"]);
      assert.equal(started.status, 0, started.stderr);
      const executed = await engine.call(["exec", name, "hostname"]);
      assert.deepEqual([executed.status, executed.stdout], [0, started.stdout], executed.stderr);
      const removed = await engine.call(["rm", "-f", name]);
      assert.deepEqual([removed.status, removed.stdout], [0, `${name}\n`], removed.stderr);
    });
  },
);

/** Runs where PID 1 is Node.js, which reaps nobody else's children: who is not reaped by exec is seen. */
const FAILING_EXECS = `
  const { execFileSync, spawn } = require("node:child_process");
  const { readdirSync, readFileSync } = require("node:fs");
  const call = (...args) => execFileSync(process.argv[1], args, { encoding: "utf8", timeout: 5000 });
  const id = call("run", "-d", "--network", "none", "busybox", "sleep", "1000").trim();
  const exec = () => new Promise((ended) => spawn(process.argv[1], ["exec", id, "missing"], { stdio: "ignore" }).once("exit", ended));
  const zombies = () => readdirSync("/proc").filter((pid) => {
    try { return /^[0-9]+$/.test(pid) && /\\) Z 1 /.test(readFileSync("/proc/" + pid + "/stat", "utf8")); } catch { return false; }
  });
  (async () => {
    const statuses = new Set();
    for (let turn = 0; turn < 25; turn++) for (const status of await Promise.all([exec(), exec(), exec(), exec()])) statuses.add(status);
    console.log([...statuses].join(), zombies().length, call("rm", "-f", id).trim() === id);
  })();`;

e2e("programs of exec that cannot be run are reaped, and do not hold up the container's end", async (engine) => {
  const command = ["unshare", "--pid", "--fork", "--mount-proc", process.execPath, "-e", FAILING_EXECS, MYCONTAINER];
  const { stdout, stderr } = await start(engine.directory, command, { env: engine.env }).ended;
  assert.deepEqual([stdout, stderr], ["127 0 true\n", ""]);
});

e2e("commands for one container at the same time end, and one of them has its way", async (engine) => {
  for (let turn = 0; turn < 5; turn++) {
    const { stdout: id } = await engine.call(["run", "-d", "--network", "none", "busybox", "sleep", "1000"]);
    const commands = [["rm", "-f"], ["stop", "-t", "0"], ["kill"], ["rm", "-f"], ["wait"], ["inspect"]];
    await Promise.all(commands.map((command) => engine.call([...command, id.trim()])));
    await engine.call(["rm", "-f", id.trim()]);
    assert.equal((await engine.call(["ps", "-aq"])).stdout, "");
  }
});

e2e("two programs that use one name at the same time: one gets it", async (engine) => {
  const calls = Array.from({ length: 4 }, () =>
    engine.call(["run", "-d", "--network", "none", "--name", "one", "busybox", "sleep", "1000"]),
  );
  const outcomes = await Promise.all(calls);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), [0, 125, 125, 125]);
  assert.equal((await engine.call(["rm", "-f", "one"])).status, 0);
});

/** Runs a script in a network namespace where no container has been before, with a state of its own. */
function inNewNetwork(engine: Engine, script: string): Promise<Outcome> {
  const place = mkdtempSync(join(engine.directory, "fresh-"));
  const env = { MYCONTAINER_ROOT: join(place, "lib"), MYCONTAINER_RUN: join(place, "run") };
  for (const path of Object.values(env)) mkdirSync(path, { mode: 0o700 });
  const line = `ip link set lo up\n${script}`;
  return start(engine.directory, ["unshare", "--net", "bash", "-c", line, "bash", MYCONTAINER], { env }).ended;
}

e2e("containers that race to be the first make one bridge, and all get an address", async (engine) => {
  const script = `
    for i in 1 2 3 4; do "$1" run -q busybox sh -c "ip -4 addr show eth0 | grep -o 'inet 172[0-9.]*'" & pids="$pids $!"; done
    for pid in $pids; do wait $pid || echo "failed: $?"; done
    ip -o link show type bridge | wc -l`;
  const { stdout, stderr } = await inNewNetwork(engine, script);
  const lines = stdout.trim().split("\n").sort();
  assert.equal(stderr, "");
  assert.equal(lines[0], "1");
  assert.equal(lines.length, 5, stdout);
  for (const line of lines.slice(1)) assert.match(line, /^inet 172\.16\.0\.\d+$/);
});
