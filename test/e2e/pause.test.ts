/** `pause` and `unpause`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { inspect, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

const COUNTING = ["sh", "-c", "while :; do :; done"];
/** CPU time of a process: proc_pid_stat(5), fields 14 and 15. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

e2e("a paused container does nothing until it goes on, and says so", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--name", "busy"], COUNTING);
  const { init } = await inspect(engine, id);
  assert.equal(await answer(engine, "pause", "busy"), "busy");
  const ticks = ticksOf(init.pid);
  assert.match(await answer(engine, "ps"), /Up .*\(Paused\)/);
  assert.equal(await answer(engine, "ps", "-q", "--filter", "status=paused"), id);
  assert.equal(await answer(engine, "ps", "-q", "--filter", "status=running"), "");
  assert.equal((await inspect(engine, id)).status, "paused");
  const refused = await engine.call(["exec", id, "true"]);
  assert.match(refused.stderr, /container 'busy' is paused — first: mycontainer unpause busy/);
  assert.match((await engine.call(["pause", id])).stderr, /is paused already/);
  assert.equal(ticksOf(init.pid), ticks);
  assert.equal(await answer(engine, "unpause", id), id);
  assert.equal((await engine.call(["exec", id, "true"])).status, 0);
  assert.match((await engine.call(["unpause", id])).stderr, /is not paused/);
  await removeAll(engine, id);
});

e2e("what is paused can be killed, stopped, restarted and removed", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  await answer(engine, "pause", id);
  await answer(engine, "kill", id);
  assert.equal(await answer(engine, "wait", id), "137");
  assert.match((await engine.call(["pause", id])).stderr, /is not running/);
  await answer(engine, "start", id);
  await answer(engine, "pause", id);
  await answer(engine, "stop", "-t", "0", id);
  await answer(engine, "start", id);
  await answer(engine, "pause", id);
  await answer(engine, "restart", "-t", "0", id);
  assert.equal((await inspect(engine, id)).status, "running");
  await answer(engine, "pause", id);
  await removeAll(engine, id);
});

e2e("a commit does not have a paused container go on", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  await answer(engine, "pause", id);
  await answer(engine, "commit", id, "of-paused");
  assert.equal((await inspect(engine, id)).status, "paused");
  await removeAll(engine, id);
  await answer(engine, "rmi", "of-paused");
});
