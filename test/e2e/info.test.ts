/** What is told of the host, and of the program itself. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { removeAll, startDetached } from "./containers.ts";
import { e2e } from "./harness.ts";

e2e("info counts what is here, and tells what the host has", async (engine) => {
  const config = join(engine.directory, "info.toml");
  writeFileSync(config, '[registries]\ninsecure = ["one:1"]\naliases = { "mine" = "two/mine" }\n');
  const call = async (...args: string[]) => {
    const { status, stdout, stderr } = await engine.call(args, { env: { MYCONTAINER_CONFIG: config } });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const running = await startDetached(engine, ["--network", "none"]);
  const ended = await startDetached(engine, ["--network", "none"], ["true"]);
  await call("wait", ended);
  const info = JSON.parse(await call("info", "--format", "json"));
  assert.deepEqual(
    [info.Containers, info.ContainersRunning, info.ContainersStopped, info.Images, info.RootDir],
    [2, 1, 1, 1, engine.root],
  );
  assert.equal(info.KernelVersion, release());
  assert.equal(info.MemTotal, Number(/MemTotal: +(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1024);
  assert.deepEqual(info.Registries, { Insecure: ["one:1"], Mirrors: {}, Aliases: { mine: "two/mine" } });
  const listed = readFileSync("/proc/self/mountinfo", "utf8");
  for (const name of info.CgroupControllers.v1) assert.match(listed, new RegExp(` - cgroup .*\\b${name}\\b`));
  assert.equal(await call("system", "info", "-f", "{{.Images}} {{.OSType}}"), "1 linux\n");
  assert.match(await call("info"), /^Version: .*\nContainers: 2 \(1 running, 1 ended\)\n/);
  await removeAll(engine, running, ended);
  const version = JSON.parse(await call("version", "--format", "json"));
  assert.equal(
    await call("version", "-f", "{{.Client.Version}} {{.Server.Version}}"),
    `${version.Version} ${version.Version}\n`,
  );
  assert.equal((await call("version")).split("\n")[0], `mycontainer ${version.Version}`);
  assert.equal(await call("--version"), `mycontainer ${version.Version}\n`);
  const { status, stderr } = await engine.call(["info", "--format", "xml"]);
  assert.equal(status, 125);
  assert.match(stderr, /unknown format 'xml'/);
});
