/** Short names of images, by every command that takes a name. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeAll, startDetached } from "./containers.ts";
import { e2e } from "./harness.ts";
import { startRegistry } from "./real-registry.ts";

const PORT = 5711;

e2e("a short name stands for an image of another registry, wherever a name is taken", async (engine) => {
  const registry = await startRegistry(engine.directory, PORT);
  const config = join(engine.directory, "config.toml");
  writeFileSync(config, `[registries]\naliases = { "mine" = "${registry.host}/team/mine" }\n`);
  const env = { MYCONTAINER_CONFIG: config };
  const told = async (...args: string[]) => {
    const { status, stdout, stderr } = await engine.call(args, { env });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const repository = `${registry.host}/team/mine`;
  try {
    const id = await startDetached(engine, ["--network", "none"]);
    await told("commit", id, "mine:1");
    await removeAll(engine, id);
    const names = ["images", "--format", "{{.Repository}}:{{.Tag}}"];
    assert.equal(await told(...names, "mine"), `${repository}:1\n`);
    await told("tag", "mine:1", "mine");
    assert.equal(await told(...names, "-f", "since=busybox", "mine:latest"), `${repository}:latest\n`);
    await told("push", "-q", "mine:1");
    assert.match(await told("rmi", "mine:1", "mine"), /Deleted: sha256:/);
    assert.equal((await engine.call(["run", "--rm", "--pull", "never", "mine:1", "true"], { env })).status, 125);
    assert.equal(await told("run", "--rm", "-q", "--network", "none", "mine:1", "echo", "pulled"), "pulled\n");
    assert.equal(await told("pull", "-q", "mine:1"), `${repository}:1\n`);
    assert.match(await told("history", "mine:1"), /sleep 1000/);
    assert.equal(await told("inspect", "-f", "{{.RepoTags}}", "mine:1"), `[${repository}:1]\n`);
    const archive = join(engine.directory, "mine.tar");
    await told("save", "-o", archive, "mine:1");
    await told("rmi", "mine:1");
    assert.equal(await told("load", "-i", archive), `Loaded image: ${repository}:1\n`);
    const running = (await told("run", "-d", "--network", "none", "mine:1", "sleep", "1000")).trim();
    assert.equal(await told("ps", "-q", "-f", "ancestor=mine:1"), `${running}\n`);
    await removeAll(engine, running);
    await told("rmi", "mine:1");
    writeFileSync(config, '[registries]\naliases = { "a:1" = "x" }\n');
    const { status, stderr } = await engine.call(["pull", "busybox"], { env });
    assert.equal(status, 125);
    assert.match(stderr, /'a:1' is no short name/);
  } finally {
    await registry.close();
  }
});
