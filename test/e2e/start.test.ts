/** `create`, `start` and `restart`: containers that are there and do not run. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execOutput, inspect, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

const COUNTING = ["sh", "-c", "echo turn >>/count; cat /count; exit 7"];

e2e("what is created runs when it is started, and again with what it has written", async (engine) => {
  const id = await answer(engine, "create", "--name", "made", "--network", "none", "busybox", ...COUNTING);
  const made = await inspect(engine, id);
  assert.equal(made.status, "created");
  assert.equal(made.init, undefined);
  assert.match(await answer(engine, "ps", "-a"), /made.*|Created/);
  assert.equal(await answer(engine, "wait", "made"), "0");
  assert.equal(await answer(engine, "start", "made"), "made");
  assert.equal(await answer(engine, "wait", "made"), "7");
  assert.equal(await answer(engine, "logs", "made"), "turn");
  assert.equal(await answer(engine, "start", id), id);
  assert.equal(await answer(engine, "wait", "made"), "7");
  assert.equal(await answer(engine, "logs", "made"), "turn\nturn\nturn");
  const attached = await engine.call(["start", "-a", "made"]);
  assert.deepEqual([attached.status, attached.stdout], [7, "turn\nturn\nturn\n"]);
  await removeAll(engine, "made");
});

e2e(
  "flags of a created container hold at every start: user, limits, environment, volumes, ports, mapped ids",
  async (engine) => {
    const host = mkdtempSync(join(engine.directory, "made-"));
    chmodSync(host, 0o755);
    writeFileSync(join(host, "file"), "of the host\n");
    const flags = [
      "-e",
      "A=1",
      "-w",
      "/tmp",
      "--memory",
      "32m",
      "-v",
      `${host}:/data:ro`,
      "--userns",
      "auto",
      "-u",
      "1000",
    ];
    const script = "id -u; echo $A; pwd; cat /data/file; cat /proc/self/uid_map; sleep 1000";
    const id = await answer(engine, "create", "-p", "127.0.0.1:0:80", ...flags, "busybox", "sh", "-c", script);
    const told: string[] = [];
    for (let turn = 0; turn < 2; turn++) {
      await answer(engine, "start", id);
      const { cgroupPath } = await inspect(engine, id);
      const [v1, v2] = [
        `/sys/fs/cgroup/memory${cgroupPath}/memory.limit_in_bytes`,
        `/sys/fs/cgroup${cgroupPath}/memory.max`,
      ];
      assert.equal(readFileSync(existsSync(v1) ? v1 : v2, "utf8").trim(), String(32 * 1024 ** 2));
      told.push(await execOutput(engine, id, "sh", "-c", "id -u; echo $A; pwd; cat /data/file /proc/self/uid_map"));
      await answer(engine, "stop", "-t", "0", id);
    }
    assert.match(told[0] ?? "", /^1000\n1\n\/tmp\nof the host\n +0 +\d+ +65536\n$/);
    assert.equal(told[0], told[1]);
    await removeAll(engine, id);
  },
);

e2e("a container that is created takes no port and no process, and goes with rm and prune", async (engine) => {
  const create = ["create", "-p", "127.0.0.1:18480:80", "busybox", "true"];
  const [one, two] = [await answer(engine, ...create), await answer(engine, ...create)];
  await answer(engine, "rm", one);
  const pruned = await answer(engine, "container", "prune", "-f");
  assert.ok(pruned.includes(two), pruned);
  assert.equal(await answer(engine, "ps", "-aq"), "");
});

e2e("files are copied into a container before its first start", async (engine) => {
  const file = join(engine.directory, "before");
  writeFileSync(file, "before\n");
  const id = await answer(
    engine,
    "create",
    "--rm",
    "--network",
    "none",
    "busybox",
    "cat",
    "/root/before",
    "/data/before",
  );
  const volume = await answer(engine, "create", "-v", "/data", "--network", "none", "busybox", "cat", "/data/before");
  await answer(engine, "cp", "-q", file, `${id}:/root`);
  await answer(engine, "cp", "-q", file, `${volume}:/data`);
  const { status, stdout } = await engine.call(["start", "-a", id]);
  assert.deepEqual([status, stdout], [1, "before\n"]);
  assert.equal((await engine.call(["start", "-a", volume])).stdout, "before\n");
  const left = await answer(engine, "ps", "-aq");
  assert.ok(!left.includes(id), "--rm of 'create' did not hold");
  await answer(engine, "rm", "-v", volume);
});

e2e("standard input is passed on by start -i to what was created with -i", async (engine) => {
  const id = await answer(engine, "create", "-i", "--network", "none", "busybox", "cat");
  const { status, stdout } = await engine.call(["start", "-i", id], { stdin: "passed on\n" });
  assert.deepEqual([status, stdout], [0, "passed on\n"]);
  await removeAll(engine, id);
});

e2e("restart ends a container and starts it again, also one that has ended", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"], ["sh", "-c", "echo started; exec sleep 1000"]);
  const first = await inspect(engine, id);
  await execOutput(engine, id, "touch", "/kept");
  assert.equal(await answer(engine, "restart", "-t", "0", id), id);
  const second = await inspect(engine, id);
  assert.equal(second.status, "running");
  assert.notEqual(second.init.pid, first.init.pid);
  await execOutput(engine, id, "ls", "/kept");
  await answer(engine, "kill", id);
  await answer(engine, "wait", id);
  await answer(engine, "restart", id);
  assert.equal(await answer(engine, "logs", id), "started\nstarted\nstarted");
  assert.equal(await answer(engine, "start", id), id);
  await removeAll(engine, id);
});

e2e("what cannot be started says why, and is what it was", async (engine) => {
  const missing = await answer(engine, "create", "--network", "none", "busybox", "/no/such/program");
  const started = await engine.call(["start", missing]);
  assert.equal(started.status, 1);
  assert.match(started.stderr, /\/no\/such\/program/);
  assert.equal((await inspect(engine, missing)).status, "created");
  const short = await answer(engine, "run", "-d", "--rm", "--network", "none", "busybox", "sleep", "1000");
  const restarted = await engine.call(["restart", short]);
  assert.match(restarted.stderr, /cannot be started again: it is removed at its end — run a new one, without --rm/);
  assert.equal((await inspect(engine, short)).status, "running");
  assert.match((await engine.call(["start", "none"])).stderr, /no container 'none' here/);
  assert.match((await engine.call(["create", "-d", "busybox"])).stderr, /'create' has no flag --detach/);
  await removeAll(engine, missing, short);
});

e2e("a start that is killed leaves the container as it was before", async (engine) => {
  const id = await answer(engine, "create", "--network", "none", "busybox", "sleep", "1000");
  const path = join(engine.root, id, "state.json");
  const created = JSON.parse(readFileSync(path, "utf8"));
  // What a kill leaves between the record and the program.
  writeFileSync(path, JSON.stringify({ ...created, status: "creating", before: "created" }));
  assert.equal((await inspect(engine, id)).status, "created");
  await answer(engine, "start", id);
  const running = await inspect(engine, id);
  assert.equal(running.status, "running");
  assert.ok(!("before" in running));
  await removeAll(engine, id);
});
