/** Health checks: carried out without a daemon, told by ps and inspect, and in nobody's way. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execOutput, removeAll, startDetached } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";

type Health = { status: string; failingStreak: number; results: { exitCode: number; output: string }[] };
const QUICK = ["--network", "none", "--health-interval", "20ms"];

/** When the state of a container's health is as wanted. */
function healthIs(engine: Engine, id: string, isWanted: (health: Health) => boolean): Promise<Health> {
  const directory = join(engine.root, id);
  return new Promise((resolve, reject) => {
    const look = () => {
      const health = JSON.parse(readFileSync(join(directory, "health.json"), "utf8")) as Health;
      if (!isWanted(health)) return;
      finish();
      resolve(health);
    };
    const watcher = watch(directory, (_event, name) => name === "health.json" && look());
    const timer = setTimeout(() => {
      finish();
      reject(new Error(`never seen: ${readFileSync(join(directory, "health.json"), "utf8")}`));
    }, 20_000);
    const finish = () => {
      clearTimeout(timer);
      watcher.close();
    };
    look();
  });
}

async function told(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args);
  assert.equal(status, 0, stderr);
  return stdout;
}

e2e("a container is healthy as long as its check succeeds, and ps and inspect say so", async (engine) => {
  const check = ["--health-cmd", "echo out; echo err >&2; test -e /tmp/well", "--health-retries", "2"];
  const id = await startDetached(engine, [...QUICK, ...check]);
  await healthIs(engine, id, ({ status }) => status === "unhealthy");
  assert.match(await told(engine, "ps"), /Up .* \(unhealthy\)/);
  await execOutput(engine, id, "touch", "/tmp/well");
  await healthIs(engine, id, ({ status, results }) => status === "healthy" && results.every((r) => r.exitCode === 0));
  assert.match(await told(engine, "ps", "--filter", "health=healthy"), /Up .* \(healthy\)/);
  assert.doesNotMatch(await told(engine, "ps", "--filter", "health=unhealthy"), /busybox/);
  const { State, Config } = JSON.parse(await told(engine, "inspect", id))[0];
  assert.equal(State.Health.Status, "healthy");
  assert.equal(State.Health.Log.length, 5);
  assert.equal(State.Health.Log[4].Output, "out\nerr\n");
  assert.ok(Date.parse(State.Health.Log[4].End) >= Date.parse(State.Health.Log[4].Start));
  assert.deepEqual(Config.Healthcheck, { Test: ["CMD-SHELL", check[1]], Interval: 20e6, Retries: 2 });
  const { supervisor } = JSON.parse(await told(engine, "inspect", id))[0];
  const memory = readFileSync(`/proc/${supervisor.pid}/smaps_rollup`, "utf8");
  assert.ok(Number(/^Private_Dirty: +(\d+) kB$/m.exec(memory)?.[1]) < 2500, memory);
  await removeAll(engine, id);
});

e2e("a check that does not end is killed, and holds up neither the log nor the end", async (engine) => {
  const check = ["--health-cmd", "trap '' TERM; echo begun; sleep 1000", "--health-timeout", "300ms"];
  const id = await startDetached(
    engine,
    [...QUICK, ...check, "--health-retries", "1"],
    ["sh", "-c", "mkfifo /tmp/f; while :; do read x </tmp/f; echo said $x; done"],
  );
  const { results } = await healthIs(engine, id, ({ status }) => status === "unhealthy");
  assert.deepEqual(results[0], {
    ...results[0],
    exitCode: -1,
    output: "Health check exceeded timeout (0.3s): begun\n",
  });
  const logs = engine.start(["logs", "-f", id]);
  await execOutput(engine, id, "sh", "-c", "echo hello >/tmp/f");
  await logs.sees("stdout", "said hello");
  await removeAll(engine, id);
  await logs.ended;
});

e2e("what a check says is kept up to a limit, also why it could not be made", async (engine) => {
  const id = await startDetached(engine, [...QUICK, "--health-cmd", "yes | head -c 100000; yes 2>/dev/null &"]);
  const { results } = await healthIs(engine, id, ({ status }) => status === "healthy");
  assert.equal(results.at(-1)?.output, `${"y\n".repeat(2048)}...`);
  await told(engine, "commit", "-c", 'HEALTHCHECK --interval=20ms CMD ["/nosuch", "program"]', id, "checked");
  await removeAll(engine, id);
  const other = (await told(engine, "run", "-d", "--network", "none", "checked", "sleep", "1000")).trim();
  const missing = await healthIs(engine, other, ({ failingStreak }) => failingStreak > 0);
  assert.equal(missing.results[0]?.exitCode, 127);
  assert.match(missing.results[0]?.output ?? "", /nosuch/);
  await removeAll(engine, other);
});

e2e("an image's check is carried out, kept by commit, and taken away by --no-healthcheck", async (engine) => {
  const made = await startDetached(engine, ["--network", "none"]);
  await told(engine, "commit", "-c", "HEALTHCHECK --interval=20ms --retries=1 CMD test $WELL", made, "healthy");
  await removeAll(engine, made);
  const run = async (...flags: string[]) =>
    (await told(engine, "run", "-d", "--network", "none", ...flags, "healthy", "sleep", "1000")).trim();
  const id = await run("-e", "WELL=1", "-u", "1000", "--health-timeout", "5s");
  await healthIs(engine, id, ({ status }) => status === "healthy");
  await told(engine, "commit", id, "again");
  const [image] = JSON.parse(await told(engine, "inspect", "--type", "image", "again"));
  assert.deepEqual(image.configuration.config.Healthcheck, {
    Interval: 20e6,
    Retries: 1,
    Timeout: 5e9,
    Test: ["CMD-SHELL", "test $WELL"],
  });
  const unchecked = await run("--no-healthcheck");
  assert.equal(JSON.parse(await told(engine, "inspect", unchecked))[0].State.Health, undefined);
  assert.doesNotMatch(await told(engine, "ps", "--filter", `id=${unchecked}`), /\(/);
  await removeAll(engine, id, unchecked);
});

e2e("healthcheck run checks once, tells by its status, and keeps the result", async (engine) => {
  const check = ["--network", "none", "--health-cmd", "test -e /tmp/well", "--health-interval", "1h"];
  const id = await startDetached(engine, check);
  assert.match(await told(engine, "ps"), /\(health: starting\)/);
  const failing = await engine.call(["healthcheck", "run", id]);
  assert.deepEqual([failing.status, failing.stdout], [1, "starting\n"]);
  await execOutput(engine, id, "touch", "/tmp/well");
  const healthy = await engine.call(["healthcheck", "run", id]);
  assert.deepEqual([healthy.status, healthy.stdout], [0, ""]);
  assert.match(await told(engine, "ps"), /\(healthy\)/);
  const bare = await startDetached(engine, ["--network", "none"]);
  for (const [args, reason] of [
    [["healthcheck", "run", bare], /has no health check/],
    [["healthcheck", "run", "nosuch"], /no container 'nosuch'/],
    [["healthcheck", "walk"], /unknown command/],
    [["healthcheck", "run"], /needs one container/],
    [["run", "--rm", "--health-interval", "1s", "busybox", "true"], /no health check whose times/],
  ] as const) {
    const { status, stderr } = await engine.call([...args]);
    assert.equal(status, 125, args.join(" "));
    assert.match(stderr, reason);
  }
  await removeAll(engine, id, bare);
});

e2e("a container in the foreground is checked, too", async (engine) => {
  const script = "mkfifo /tmp/f; echo ready; read x </tmp/f; echo $x";
  const flags = [...QUICK, "-q", "--name", "front", "--health-cmd", "echo checked >/tmp/f"];
  const { status, stdout } = await engine.call(["run", ...flags, "busybox", "sh", "-c", script]);
  assert.deepEqual([status, stdout], [0, "ready\nchecked\n"]);
});

e2e("a container that stands still is not ill, and can be removed in the midst of a check", async (engine) => {
  const check = ["--health-cmd", "echo x >/tmp/checks; sleep 1000", "--health-timeout", "1h"];
  const id = await startDetached(engine, [...QUICK, ...check]);
  const seen = engine.start(["exec", id, "sh", "-c", "mkfifo /tmp/checks 2>/dev/null; read x </tmp/checks; echo seen"]);
  await seen.sees("stdout", "seen");
  await seen.ended;
  const { cgroupPath } = JSON.parse(await told(engine, "inspect", id))[0];
  const [file, word] = existsSync("/sys/fs/cgroup/cgroup.controllers")
    ? [`/sys/fs/cgroup${cgroupPath}/cgroup.freeze`, "1"]
    : [`/sys/fs/cgroup/freezer${cgroupPath}/freezer.state`, "FROZEN"];
  writeFileSync(file, word);
  assert.match(await told(engine, "ps"), /\(health: starting\)/);
  await removeAll(engine, id);
});
