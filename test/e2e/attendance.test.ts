/** Who has to look at other containers: src/container/attendance.ts. */
import assert from "node:assert/strict";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

/** Which of the ids the calls of a start are about. */
async function lookedAt(engine: Engine, ids: readonly string[]): Promise<string[]> {
  const { status, stderr } = await engine.call(["run", "--trace", "--network", "none", "busybox", "true"]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /clone3\(/);
  return ids.filter((id) => stderr.includes(id));
}

e2e("a start looks at other containers only if the supervisor of one has died", async (engine) => {
  const command = ["run", "-d", "--network", "none", "busybox", "sleep", "1000"];
  const ids = [await answer(engine, command), await answer(engine, command)];
  const [dying = "", staying = ""] = ids;
  assert.deepEqual(await lookedAt(engine, ids), []);

  const [found] = JSON.parse(await answer(engine, ["inspect", dying]));
  process.kill(found.supervisor.pid, "SIGKILL");
  assert.equal(await answer(engine, ["wait", dying]), "137");
  assert.ok((await lookedAt(engine, ids)).includes(staying));
  assert.deepEqual(await lookedAt(engine, ids), []);

  await answer(engine, ["rm", "-f", dying, staying]);
  assert.deepEqual(await lookedAt(engine, ids), []);
});
