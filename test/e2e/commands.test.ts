/** The life of detached containers, by the commands that look after them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type Engine, e2e } from "./harness.ts";

/** Starts a container in the background; its id. */
async function detached(engine: Engine, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(["run", "-d", ...args]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^[a-z0-9-]+-[0-9a-f]{6}\n$/);
  return stdout.trim();
}

async function answer(engine: Engine, args: string[], options = {}): Promise<string> {
  const { status, stdout, stderr } = await engine.call(args, options);
  assert.equal(status, 0, stderr);
  return stdout;
}

e2e("a detached container is listed while it runs, and after it has ended with -a", async (engine) => {
  const id = await detached(engine, "--name", "lister", "busybox", "sleep", "1000");
  assert.match(
    await answer(engine, ["ps"]),
    new RegExp(`^${id}\\s+busybox\\s+"sleep 1000"\\s+.* ago\\s+Up .*\\s+lister$`, "m"),
  );
  assert.equal(await answer(engine, ["ps", "-q"]), `${id}\n`);
  await answer(engine, ["kill", "lister"]);
  assert.equal(await answer(engine, ["wait", "lister"]), "137\n");
  assert.equal(await answer(engine, ["ps", "-q"]), "");
  assert.match(await answer(engine, ["ps", "-a"]), /Exited \(137\)/);
  assert.equal(await answer(engine, ["rm", "lister"]), "lister\n");
  assert.equal(await answer(engine, ["ps", "-aq"]), "");
});

e2e("logs keep both streams apart, byte for byte, with a last line that has no end", async (engine) => {
  await detached(engine, "--name", "writer", "busybox", "sh", "-c", "echo out; echo err >&2; printf '\\377\\001end'");
  await answer(engine, ["wait", "writer"]);
  const { stdout, stderr } = await engine.call(["logs", "writer"]);
  assert.equal(stderr, "err\n");
  assert.ok(stdout.startsWith("out\n") && stdout.endsWith("\u0001end"), JSON.stringify(stdout));
  assert.match(await answer(engine, ["logs", "-t", "--tail", "1", "writer"]), /^\d{4}-\d\d-\d\dT[0-9:.]+Z /);
  await answer(engine, ["rm", "writer"]);
});

e2e("logs -f shows what comes, and ends with the container", async (engine) => {
  const script = "mkfifo /tmp/go; echo one; read line < /tmp/go; echo two";
  await detached(engine, "--name", "talker", "busybox", "sh", "-c", script);
  const follower = engine.start(["logs", "-f", "talker"]);
  await follower.sees("stdout", "one\n");
  await answer(engine, ["exec", "talker", "sh", "-c", "echo on > /tmp/go"]);
  const { status, stdout } = await follower.ended;
  assert.deepEqual([status, stdout], [0, "one\ntwo\n"]);
  await answer(engine, ["rm", "talker"]);
});

e2e("exec runs in the container's namespaces and cgroup, with its exit code", async (engine) => {
  const id = await detached(engine, "--name", "host", "-e", "SHARED=yes", "busybox", "sleep", "1000");
  assert.equal(await answer(engine, ["exec", "host", "hostname"]), `${id}\n`);
  assert.equal(await answer(engine, ["exec", "-e", "MORE=1", "host", "sh", "-c", "echo $SHARED $MORE"]), "yes 1\n");
  assert.equal(await answer(engine, ["exec", "-w", "/tmp", "host", "pwd"]), "/tmp\n");
  assert.equal(await answer(engine, ["exec", "-u", "1000:1000", "host", "id", "-u"]), "1000\n");
  assert.equal(await answer(engine, ["exec", "-i", "host", "cat"], { stdin: "through\n" }), "through\n");
  assert.equal((await engine.call(["exec", "host", "sh", "-c", "exit 42"])).status, 42);
  assert.equal((await engine.call(["exec", "host", "nosuch"])).status, 127);
  assert.equal((await engine.call(["exec", "host", "/etc/passwd"])).status, 126);
  const [own, inits] = (
    await answer(engine, ["exec", "host", "sh", "-c", "cat /proc/self/cgroup; echo; cat /proc/1/cgroup"])
  ).split("\n\n");
  assert.equal(own?.trim(), inits?.trim());
  const status = await answer(engine, ["exec", "host", "cat", "/proc/self/status"]);
  assert.match(status, /CapInh:\s+0+\n/);
  assert.match(status, /CapAmb:\s+0+\n/);
  assert.match(status, /Seccomp:\s+2\n/);
  await answer(engine, ["rm", "-f", "host"]);
  assert.equal((await engine.call(["exec", "host", "true"])).status, 125);
});

e2e("exec on a terminal is a terminal", async (engine) => {
  await detached(engine, "--name", "tty", "busybox", "sleep", "1000");
  const terminal = engine.startOnTerminal(["exec", "-it", "tty", "sh"]);
  await terminal.sees("stdout", "/ # ");
  terminal.write("tty; exit 5\n");
  await terminal.sees("stdout", "/dev/pts/");
  assert.equal((await terminal.ended).status, 5);
  await answer(engine, ["rm", "-f", "tty"]);
});

e2e("stop asks first, and kills when the time is over", async (engine) => {
  await detached(engine, "--name", "polite", "busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done");
  await detached(engine, "--name", "deaf", "busybox", "sleep", "1000");
  await answer(engine, [
    "exec",
    "polite",
    "sh",
    "-c",
    "while ! grep -q 'SigCgt:.*[4567cdef]...$' /proc/1/status; do :; done",
  ]);
  await answer(engine, ["stop", "polite"]);
  assert.equal(await answer(engine, ["wait", "polite"]), "7\n");
  await answer(engine, ["stop", "-t", "1", "deaf"]);
  assert.equal(await answer(engine, ["wait", "deaf"]), "137\n");
  await answer(engine, ["stop", "deaf"]);
  await answer(engine, ["rm", "polite", "deaf"]);
});

e2e("rm refuses what runs, and --force does not", async (engine) => {
  await detached(engine, "--name", "busy", "busybox", "sleep", "1000");
  const refused = await engine.call(["rm", "busy"]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /is running.*--force/);
  await answer(engine, ["rm", "-f", "busy"]);
  await answer(engine, ["rm", "-f", "busy"]);
});

e2e("wait learns the exit code also of a container that is removed at its end", async (engine) => {
  await detached(engine, "--rm", "--name", "brief", "busybox", "sh", "-c", "sleep 2; exit 9");
  assert.equal(await answer(engine, ["wait", "brief"]), "9\n");
});

e2e("inspect tells the state and the OCI configuration", async (engine) => {
  const id = await detached(engine, "--name", "seen", "--label", "a=b", "--memory", "64m", "busybox", "sleep", "1000");
  const [found] = JSON.parse(await answer(engine, ["inspect", "seen"]));
  assert.deepEqual([found.id, found.name, found.status, found.labels], [id, "seen", "running", { a: "b" }]);
  assert.equal(found.config.linux.resources.memory.limit, 64 * 1024 * 1024);
  assert.match(readFileSync(`/proc/${found.init.pid}/cmdline`, "utf8"), /^sleep\0/);
  await answer(engine, ["rm", "-f", "seen"]);
});

e2e("a foreground container takes its input, gives its exit code, and is kept with --rm=false", async (engine) => {
  assert.equal(await answer(engine, ["run", "--quiet", "busybox", "cat"], { stdin: "piped\n" }), "piped\n");
  assert.equal((await engine.call(["run", "--quiet", "busybox", "sh", "-c", "exit 33"])).status, 33);
  // The first process of a PID namespace does not die of its own signal; below an init it does.
  assert.equal((await engine.call(["run", "--quiet", "--init", "busybox", "sh", "-c", "kill -TERM $$"])).status, 143);
  await engine.call(["run", "--quiet", "--rm=false", "--name", "kept", "busybox", "true"]);
  assert.match(await answer(engine, ["ps", "-a"]), /Exited \(0\).*kept/);
  await answer(engine, ["rm", "kept"]);
});

e2e("with --init the first process is ours, reaps, and passes signals on", async (engine) => {
  await detached(
    engine,
    "--init",
    "--name",
    "reaper",
    "busybox",
    "sh",
    "-c",
    "trap 'exit 3' TERM; (sleep 0.2 &); while :; do sleep 0.1; done",
  );
  assert.match(await answer(engine, ["exec", "reaper", "cat", "/proc/1/cmdline"]), /^mycontainer-init/);
  await answer(engine, [
    "exec",
    "reaper",
    "sh",
    "-c",
    "sleep 0.5; ! grep -l 'State:.Z' /proc/[0-9]*/status 2>/dev/null",
  ]);
  await answer(engine, ["stop", "reaper"]);
  assert.equal(await answer(engine, ["wait", "reaper"]), "3\n");
  await answer(engine, ["rm", "reaper"]);
});

e2e("a container dies with its foreground command, and the next command cleans up", async (engine) => {
  const running = engine.start(["run", "--name", "orphan", "busybox", "sh", "-c", "echo up; sleep 1000"]);
  await running.sees("stdout", "up");
  running.signal("SIGKILL");
  await running.ended;
  assert.equal(await answer(engine, ["ps", "-aq"]), "");
});

e2e("a container dies with its monitor, and that is told", async (engine) => {
  await detached(engine, "--name", "watched", "busybox", "sleep", "1000");
  const [found] = JSON.parse(await answer(engine, ["inspect", "watched"]));
  process.kill(found.supervisor.pid, "SIGKILL");
  assert.equal(await answer(engine, ["wait", "watched"]), "137\n");
  assert.match(await answer(engine, ["ps", "-a"]), /Exited \(137\)/);
  await answer(engine, ["rm", "watched"]);
});

e2e("SIGTERM is passed on to the program in the foreground", async (engine) => {
  const running = engine.start([
    "run",
    "--quiet",
    "busybox",
    "sh",
    "-c",
    "trap 'echo got; exit 4' TERM; echo up; while :; do sleep 0.1; done",
  ]);
  await running.sees("stdout", "up");
  running.signal("SIGTERM");
  const { status, stdout } = await running.ended;
  assert.deepEqual([status, stdout], [4, "up\ngot\n"]);
});

e2e("--dry-run prints the plan and touches nothing, --trace both sides of the clone", async (engine) => {
  const tree = await answer(engine, ["run", "--dry-run", "busybox"]);
  for (const part of ["overlay of layers", "new pid", "mounting proc on /proc", "pivot_root", "memory", "CAP_CHOWN"]) {
    assert.ok(tree.includes(part), `${part} in\n${tree}`);
  }
  const plan = JSON.parse(await answer(engine, ["run", "--dry-run", "--format", "json", "busybox"]));
  assert.equal(plan.rootSteps[0].do, "mount");
  const { stderr } = await engine.call(["run", "--quiet", "--trace", "busybox", "true"]);
  assert.match(stderr, /^\[host\] +[0-9.]+ µs +clone3\(\{flags=.*CLONE_NEWPID.*\) = \d+$/m);
  assert.match(stderr, /^\[container\] +[0-9.]+ µs +pivot_root\("\.", "\."(, "\.")?\) = 0$/m);
  assert.match(stderr, /^\[container\] execve\("\/bin\/true"/m);
});
