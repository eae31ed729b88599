/** `attach`: in front of a container that runs in the background. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { execOutput, inspect, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** It does nothing until a file is there, which `go` makes. */
const WAITING = "until [ -e /tmp/go ]; do usleep 1000; done";
const go = (engine: Engine, id: string) => execOutput(engine, id, "touch", "/tmp/go");

/** When somebody looks on: the monitor has a connection for each. */
async function lookedOnBy(engine: Engine, id: string, count: number): Promise<void> {
  const { supervisor } = (await inspect(engine, id)) as unknown as { supervisor: { pid: number } };
  const connections = () =>
    readFileSync(`/proc/${supervisor.pid}/net/unix`, "utf8")
      .split("\n")
      .filter((line) => line.includes(` 0005 03 `) && line.endsWith(`/${id}/attach`)).length;
  for (let tries = 0; connections() < count; tries++) {
    assert.ok(tries < 2000, "nobody has attached");
    await answer(engine, "ps", "-q");
  }
}

e2e("attach shows both streams, to all who look on, and ends with the exit code", async (engine) => {
  const script = `echo before; ${WAITING}; echo out; echo err >&2; exit 7`;
  const id = await startDetached(engine, ["--network", "none"], ["sh", "-c", script]);
  const [one, two] = [engine.start(["attach", id]), engine.start(["attach", "--no-stdin", id])];
  await lookedOnBy(engine, id, 2);
  await go(engine, id);
  for (const attached of [await one.ended, await two.ended]) {
    assert.deepEqual([attached.status, attached.stdout, attached.stderr], [7, "out\n", "err\n"]);
  }
  assert.equal(await answer(engine, "logs", id), "before\nout");
  await removeAll(engine, id);
});

e2e("the exit code is that of a container that is removed at its end, too", async (engine) => {
  const id = await startDetached(engine, ["--rm", "--network", "none"], ["sh", "-c", `${WAITING}; exit 9`]);
  const attached = engine.start(["attach", id]);
  await lookedOnBy(engine, id, 1);
  await go(engine, id);
  assert.equal((await attached.ended).status, 9);
  assert.ok(!existsSync(`${engine.root}/${id}`));
});

e2e("signals go to the program, and with --sig-proxy=false only end the looking on", async (engine) => {
  const script = "trap 'echo heard; exit 3' TERM; while :; do usleep 1000; done";
  const id = await startDetached(engine, ["--network", "none"], ["sh", "-c", script]);
  const looking = engine.start(["attach", "--sig-proxy=false", id]);
  await lookedOnBy(engine, id, 1);
  looking.signal("SIGTERM");
  assert.equal((await looking.ended).status, 0);
  assert.equal((await inspect(engine, id)).status, "running");
  const proxy = engine.start(["attach", id]);
  await lookedOnBy(engine, id, 1);
  proxy.signal("SIGTERM");
  const { status, stdout } = await proxy.ended;
  assert.deepEqual([status, stdout], [3, "heard\n"]);
  await removeAll(engine, id);
});

e2e("a terminal in the background is typed on, resized, left by keys, and goes on", async (engine) => {
  const id = await startDetached(engine, ["-it", "--network", "none"], ["sh"]);
  const first = engine.startOnTerminal(["attach", id]);
  await lookedOnBy(engine, id, 1);
  first.resize(33, 77);
  first.write("echo $((6 * 7)); until [ \"$(stty size)\" = '33 77' ]; do usleep 1000; done; echo re''sized\n");
  await first.sees("stdout", "42");
  await first.sees("stdout", "resized");
  first.write("\x10\x11");
  assert.equal((await first.ended).status, 0);
  assert.equal((await inspect(engine, id)).status, "running");
  const second = engine.startOnTerminal(["attach", "--detach-keys", "ctrl-a", id]);
  await lookedOnBy(engine, id, 1);
  second.write("exit 5\n");
  assert.equal((await second.ended).status, 5);
  await removeAll(engine, id);
});

e2e("who does not read is let go, and holds nobody up", async (engine) => {
  const script = `${WAITING}; head -c 8000000 /dev/zero | tr '\\0' 'x' | fold -w 100; exit 4`;
  const id = await startDetached(engine, ["--network", "none", "--cpus", "0"], ["sh", "-c", script]);
  const slow = engine.start(["attach", id]);
  const quick = engine.start(["attach", id]);
  await lookedOnBy(engine, id, 2);
  process.kill(slow.pid, "SIGSTOP");
  await go(engine, id);
  assert.equal(await answer(engine, "wait", id), "4");
  process.kill(slow.pid, "SIGCONT");
  const { status, stderr } = await slow.ended;
  assert.equal(status, 125);
  assert.match(stderr, /its output came faster than it could be shown/);
  await quick.ended;
  await removeAll(engine, id);
});

e2e("what cannot be attached to says why", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  await answer(engine, "pause", id);
  assert.match((await engine.call(["attach", id])).stderr, /is paused — first: mycontainer unpause/);
  await answer(engine, "kill", id);
  await answer(engine, "wait", id);
  assert.match((await engine.call(["attach", id])).stderr, /is not running — 'mycontainer start -a/);
  assert.match((await engine.call(["attach", "--detach-keys", "x,yz", id])).stderr, /are no keys to detach by/);
  const front = engine.start(["run", "--network", "none", "--name", "front", "busybox", "sleep", "1000"]);
  await front.sees("stderr", "Container ready");
  assert.match((await engine.call(["attach", "front"])).stderr, /it runs in front of another command/);
  await removeAll(engine, id, "front");
  await front.ended;
});
