/** `rename`, `port` and `top`. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { execOutput, initPid, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

async function answer(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

const namesOf = (engine: Engine): string[] => {
  const directory = join(engine.root, "names");
  return existsSync(directory) ? readdirSync(directory) : [];
};

e2e("a container has its new name while it runs, when it has ended, and when it is started again", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--name", "old"]);
  await answer(engine, "rename", "old", "new");
  assert.match(await answer(engine, "ps"), / new$/m);
  assert.match((await engine.call(["exec", "old", "true"])).stderr, /no container 'old' here/);
  const another = await startDetached(engine, ["--network", "none", "--name", "old"]);
  await answer(engine, "kill", "new");
  await answer(engine, "wait", "new");
  assert.match(await answer(engine, "ps", "-a"), / new$/m);
  await answer(engine, "start", "new");
  await execOutput(engine, "new", "true");
  await answer(engine, "rename", another, another);
  assert.deepEqual(namesOf(engine), ["new"]);
  await removeAll(engine, "new", another);
  assert.deepEqual(namesOf(engine), []);
  assert.match((await engine.call(["inspect", id])).stderr, /no container/);
});

e2e("a container that is removed at its end gives its new name back", async (engine) => {
  await answer(engine, "run", "-d", "--rm", "--network", "none", "--name", "old", "busybox", "sleep", "1000");
  await answer(engine, "rename", "old", "new");
  await answer(engine, "stop", "-t", "0", "new");
  assert.deepEqual(namesOf(engine), []);
});

e2e("a name that is taken, bad, or its own is refused, and nothing changes", async (engine) => {
  const one = await startDetached(engine, ["--network", "none", "--name", "one"]);
  const two = await startDetached(engine, ["--network", "none", "--name", "two"]);
  const refused = async (name: string, message: RegExp) => {
    const { status, stderr } = await engine.call(["rename", "one", name]);
    assert.equal(status, 125);
    assert.match(stderr, message);
  };
  await refused("two", /the name 'two' is in use by container/);
  await refused("../two", /bad container name '\.\.\/two'/);
  await refused("one", /container 'one' has that name already/);
  assert.deepEqual(namesOf(engine).sort(), ["one", "two"]);
  await removeAll(engine, one, two);
});

e2e("port tells where ports are, all of them or one", async (engine) => {
  const flags = ["-p", "127.0.0.1:18481:80", "-p", "18482:53/udp", "-p", "18483:80"];
  const id = await startDetached(engine, flags);
  const lines = (await answer(engine, "port", id)).split("\n");
  assert.deepEqual(lines.sort(), ["53/udp -> 0.0.0.0:18482", "80/tcp -> 0.0.0.0:18483", "80/tcp -> 127.0.0.1:18481"]);
  assert.deepEqual((await answer(engine, "port", id, "80")).split("\n").sort(), ["0.0.0.0:18483", "127.0.0.1:18481"]);
  assert.equal(await answer(engine, "port", id, "53/udp"), "0.0.0.0:18482");
  assert.match((await engine.call(["port", id, "53"])).stderr, /the port 53\/tcp of container .* is not published/);
  assert.match((await engine.call(["port", id, "http"])).stderr, /'http' is no port — as in/);
  await answer(engine, "kill", id);
  await answer(engine, "wait", id);
  assert.equal(await answer(engine, "port", id), "");
  await removeAll(engine, id);
});

e2e("top shows the processes of the container, and no others", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"], ["sh", "-c", "sleep 1001 & exec sleep 1000"]);
  const init = await initPid(engine, id);
  const told = await answer(engine, "top", id);
  assert.match(told, /^UID +PID +PPID/);
  assert.match(told, new RegExp(`^\\S+ +${init} `, "m"));
  assert.deepEqual(
    told
      .split("\n")
      .slice(1)
      .map((line) => /sleep \d+$/.exec(line)?.[0])
      .sort(),
    ["sleep 1000", "sleep 1001"],
  );
  const own = await answer(engine, "top", id, "-o", "pid,args");
  assert.equal(own.split("\n").length, 3);
  assert.match((await engine.call(["top", id, "-o", "comm"])).stderr, /PID/);
  await removeAll(engine, id);
});
