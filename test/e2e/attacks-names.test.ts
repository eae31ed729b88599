/** Attacks by ids, names and users: docs/security.md: R11, R15. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeAll, runScript, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";
import { makeRoot } from "./hostile.ts";

const BAD_NAMES = [
  "..",
  ".",
  "",
  "a/b",
  "../canary",
  "/etc",
  "-x",
  ".hidden",
  "_x",
  "a b",
  "a\nb",
  "ä",
  "\u202eabc",
  "x".repeat(1024),
  "x".repeat(129),
  "images",
  "networks",
  "volumes",
  "names",
];

/** Files that would be hit by a name that leaves the state root, or is one of its own directories. */
function putCanaries(engine: Engine): string[] {
  const directory = join(engine.directory, "canary");
  mkdirSync(directory, { recursive: true });
  const state = JSON.stringify({ version: 1, id: "canary", name: "canary", status: "exited" });
  writeFileSync(join(directory, "state.json"), state);
  return [directory];
}

for (const name of BAD_NAMES) {
  const shown = name.length > 40 ? `${name.slice(0, 8)}... (${name.length} letters)` : JSON.stringify(name);

  e2e(`no container can be called ${shown}`, async (engine) => {
    putCanaries(engine);
    const { status, stderr } = await engine.call([
      "run",
      "-q",
      "--network",
      "none",
      `--name=${name}`,
      "busybox",
      "true",
    ]);
    assert.equal(status, 125);
    assert.match(stderr, /^mycontainer: bad container name /);
  });

  e2e(`no command finds a container ${shown}`, async (engine) => {
    putCanaries(engine);
    for (const command of [
      ["exec", "--", name, "true"],
      ["stop", "--", name],
      ["kill", "--", name],
      ["rm", "--", name],
      ["wait", "--", name],
      ["logs", "--", name],
      ["inspect", "--", name],
      ["stats", "--no-stream", "--", name],
      ["run", "-q", "--network", `container:${name}`, "busybox", "true"],
      ["run", "-q", "--pid", `container:${name}`, "busybox", "true"],
      ["run", "-q", "--ipc", `container:${name}`, "busybox", "true"],
    ]) {
      const { status, stdout, stderr } = await engine.call(command);
      assert.notEqual(status, 0, command.join(" "));
      assert.equal(stdout.replace(/^\[\]\n$/, ""), "", command.join(" "));
      assert.match(stderr, /^mycontainer: /, command.join(" "));
    }
    assert.equal((await engine.call(["rm", "-f", "--", name])).stdout, "");
  });
}

e2e("a directory beside the state root is never taken for a container", async (engine) => {
  const [directory = ""] = putCanaries(engine);
  await engine.call(["rm", "-f", "../canary", directory]);
  const { stdout } = await engine.call(["ps", "-aq"]);
  assert.equal(stdout, "");
  assert.equal((await engine.call(["inspect", "../canary"])).status, 1);
});

e2e("an image, volume or label of a strange name touches no file outside of the state root", async (engine) => {
  for (const args of [
    ["run", "../../etc", "true"],
    ["run", "..", "true"],
    ["run", "-v", "../x:/mnt:rw,z/../..", "busybox", "true"],
    ["run", "-v", "..:/mnt/../..", "busybox", "true"],
    ["run", "--mount", "type=volume,source=../x,target=/mnt", "busybox", "true"],
    ["run", "--hostname", "../x", "busybox", "true"],
  ]) {
    const { status, stderr } = await engine.call(args);
    assert.equal(status, 125, args.join(" "));
    assert.match(stderr, /^mycontainer: /);
  }
});

const PASSWD = [
  "root:x:0:0::/root:/bin/sh",
  "app:x:1000:1000::/home/app:/bin/sh",
  "1000:x:0:0::/root:/bin/sh",
  "rooty:x:4294967296:4294967296::/:/bin/sh",
  "minus:x:-1:-1::/:/bin/sh",
  "empty:x::::/bin/sh",
].join("\n");

for (const [user, ids] of [
  ["1", "uid=1 gid=0"],
  ["01", "uid=1 gid=0"],
  ["1000", "uid=1000(app) gid=1000"],
  ["app", "uid=1000(app) gid=1000"],
  ["0", "uid=0(root) gid=0"],
  ["4294967294", "uid=4294967294 gid=0"],
] as const) {
  e2e(`the user '${user}' is ${ids}`, async (engine) => {
    const root = makeRoot(engine);
    mkdirSync(join(root, "etc"));
    writeFileSync(join(root, "etc/passwd"), `${PASSWD}\n`);
    const command = ["run", "-q", "--network", "none", "-u", user, "--rootfs", root, "id"];
    const { status, stdout, stderr } = await engine.call(command);
    assert.equal(status, 0, stderr);
    assert.ok(stdout.startsWith(ids), stdout);
  });
}

for (const user of [
  "+1",
  "-1",
  "1:",
  ":1",
  "4294967295",
  "4294967296",
  "18446744073709551616",
  "0x1",
  "1e3",
  "rooty",
  "minus",
  "empty",
  " 0",
]) {
  e2e(`the user '${user}' is an error, for run and exec, and never root`, async (engine) => {
    const root = makeRoot(engine);
    mkdirSync(join(root, "etc"));
    writeFileSync(join(root, "etc/passwd"), `${PASSWD}\n`);
    const flags = ["--network", "none"];
    const { status, stdout } = await engine.call(["run", "-q", ...flags, `--user=${user}`, "--rootfs", root, "id"]);
    assert.deepEqual([status, stdout], [125, ""]);
    const { stdout: id } = await engine.call(["run", "-d", ...flags, "--rootfs", root, "sleep", "1000"]);
    const executed = await engine.call(["exec", `--user=${user}`, id.trim(), "id"]);
    assert.notEqual(executed.status, 0);
    assert.equal(executed.stdout, "");
    await removeAll(engine, id.trim());
  });
}

e2e("the name of a container that runs is not given twice, and is free after it", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--name", "taken"]);
  const { status, stderr } = await engine.call(["run", "--name", "taken", "busybox", "true"]);
  assert.equal(status, 125);
  assert.match(stderr, new RegExp(`the name 'taken' is in use by container '${id}'`));
  await removeAll(engine, "taken");
  assert.equal((await runScript(engine, "true", ["--name", "taken"])).status, 0);
});
