/**
 * The commands of the OCI face, with all of their flags, as an engine would call them.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { NAMESPACES, oci, receiver, statusLine, valuesOf } from "./bundles.ts";
import { compileAttacker } from "./hostile.ts";

oci("create makes a container that waits, start lets it run, and delete takes a stopped one away", async (runtime) => {
  const id = runtime.newId();
  const bundle = runtime.bundle({ script: "exit 3", top: { annotations: { "org.example.one": "1" } } });
  const pidFile = join(bundle, "pid");
  await runtime.must(["create", "--pid-file", pidFile, id], { cwd: bundle });
  const created = await runtime.state(id);
  assert.equal(created.status, "created");
  assert.equal(created["bundle"], bundle);
  assert.equal(created["id"], id);
  assert.deepEqual(created["annotations"], { "org.example.one": "1" });
  assert.match(String(created["ociVersion"]), /^1\.\d+\.\d+/);
  assert.equal(readFileSync(pidFile, "utf8"), String(created.pid));
  const taken = await runtime.call(["create", "--bundle", bundle, id]);
  assert.equal(taken.status, 1);
  assert.match(taken.stderr, /container with given ID already exists/);

  const ends = runtime.start(["events", "--interval", "1h", id]);
  await runtime.must(["start", id]);
  await ends.ended; // when the container's first process does
  const again = await runtime.call(["start", id]);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /cannot start a container that has stopped/);
  const stopped = await runtime.state(id);
  assert.equal(stopped.status, "stopped");
  assert.equal(stopped.pid, 0);
  for (const [args, text] of [
    [["kill", id, "TERM"], /container not running/],
    [["exec", id, "true"], /cannot exec in a stopped container/],
  ] as const) {
    const { status, stderr } = await runtime.call([...args]);
    assert.notEqual(status, 0);
    assert.match(stderr, text);
  }
  await runtime.must(["delete", id]);
  const gone = await runtime.call(["state", id]);
  assert.equal(gone.status, 1);
  assert.match(gone.stderr, /container does not exist/);
  assert.equal((await runtime.call(["delete", id])).status, 1);
  await runtime.must(["delete", "--force", id]);
});

oci("kill takes names and numbers of signals, and --all reaches every process", async (runtime) => {
  const script = "trap 'echo usr1' USR1; trap 'echo hup; exit 4' HUP; echo up; while :; do sleep 1000 & wait; done";
  const id = runtime.newId();
  const container = runtime.start(["run", "--bundle", runtime.bundle({ script }), id]);
  await container.sees("stdout", "up\n");
  await runtime.must(["kill", id, "10"]);
  await container.sees("stdout", "usr1\n");
  const unknown = await runtime.call(["kill", id, "SIGNONE"]);
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /unknown signal "SIGNONE"/);
  await runtime.must(["kill", id, "SIGHUP"]);
  assert.equal((await container.ended).status, 4);

  const shared = await runtime.detached({
    script: "sleep 1000 & sleep 1000",
    linux: { namespaces: NAMESPACES.filter(({ type }) => type !== "pid") },
  });
  await runtime.must(["kill", "--all", shared, "KILL"]);
  // The signal is sent, and not waited for: on a busy machine the process has still to die of it.
  while ((await runtime.state(shared)).status !== "stopped");
  await runtime.must(["delete", shared]);
});

oci("run passes on output and exit status, and --keep leaves the stopped container", async (runtime) => {
  const id = runtime.newId();
  const bundle = runtime.bundle({ script: "cat; echo error >&2; exit 9" });
  const ran = await runtime.call(["run", "--keep", "--bundle", bundle, id], { stdin: "through\n" });
  assert.deepEqual(ran, { status: 9, stdout: "through\n", stderr: "error\n" });
  assert.equal((await runtime.state(id)).status, "stopped");
  await runtime.must(["delete", id]);
  const killed = await runtime.run({
    script: "kill -9 $$",
    linux: { namespaces: NAMESPACES.filter(({ type }) => type !== "pid") },
  });
  assert.equal(killed.status, 137);
});

oci("delete refuses a container that runs, and --force kills it", async (runtime) => {
  const id = await runtime.detached();
  const { pid } = await runtime.state(id);
  const refused = await runtime.call(["delete", id]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, new RegExp(`cannot delete container ${id} that is not stopped: running`));
  await runtime.must(["delete", "--force", id]);
  // It has ended; whoever takes in orphans may not have reaped it yet.
  assert.ok(!existsSync(`/proc/${pid}`) || statusLine(pid, "State")?.startsWith("Z"));
});

oci("exec takes who, where and with what from its flags", async (runtime) => {
  const id = await runtime.detached({ process: { oomScoreAdj: 50 } });
  const script =
    'echo "uid=$(id -u):$(id -g)"; echo "groups=$(id -G)"; echo "cwd=$PWD"; echo "word=$WORD"; cat /proc/self/oom_score_adj; grep -E "CapBnd|CapEff|CapInh|CapAmb|NoNewPrivs" /proc/self/status';
  const flags = [
    "--user",
    "7:8",
    "--additional-gids",
    "9",
    "-g",
    "10",
    "--cwd",
    "/bin",
    "--env",
    "WORD=x y",
    "-e",
    "Z=1",
  ];
  const { status, stdout, stderr } = await runtime.call(["exec", ...flags, "--no-new-privs", id, "sh", "-c", script]);
  assert.equal(status, 0, stderr);
  const seen = valuesOf(stdout);
  assert.equal(seen["uid"], "7:8");
  assert.equal(seen["groups"], "8 9 10");
  assert.equal(seen["cwd"], "/bin");
  assert.equal(seen["word"], "x y");
  assert.match(stdout, /^50$/m);
  assert.match(stdout, /^NoNewPrivs:\t1$/m);
  assert.match(stdout, /^CapEff:\t0+$/m);

  const asRoot = await runtime.must(["exec", "--cap", "CAP_NET_RAW", id, "sh", "-c", "grep Cap /proc/self/status"]);
  const setOf = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\t(.*)$`, "m").exec(asRoot)?.[1]}`);
  const netRaw = 1n << 13n;
  assert.equal(setOf("CapEff") & netRaw, netRaw);
  assert.equal(setOf("CapBnd") & netRaw, netRaw);
  assert.equal(setOf("CapInh"), 0n, "CVE-2022-29162");
  assert.equal(setOf("CapAmb"), 0n);

  for (const [args, code, text] of [
    [["exec", id, "no-such-program"], 255, /exec: "no-such-program": executable file not found in \$PATH/],
    [
      ["exec", id, "/etc"],
      255,
      /exec failed: unable to start container process: exec: "\/etc": (permission denied|is a directory)/,
    ],
    [["exec", id, "sh", "-c", "exit 12"], 12, /^$/],
    [["exec", id], 255, /process args cannot be empty/],
    [["exec", "--user", "nobody", id, "true"], 255, /'nobody' is no id/],
    [["exec", "--preserve-fds", "1", id, "true"], 255, /unable to stat preserved-fd 0 \(of 1\)/],
  ] as const) {
    const ran = await runtime.call([...args]);
    assert.equal(ran.status, code, ran.stderr);
    assert.match(ran.stderr, text);
  }
  await runtime.remove(id);
});

oci("exec runs the process of a file, in the background, with a pid file and a pidfd socket", async (runtime) => {
  const id = await runtime.detached();
  const place = mkdtempSync(join(runtime.directory, "exec-"));
  const process = {
    args: ["sleep", "999"],
    cwd: "/tmp",
    env: ["PATH=/bin", "HOME=/h"],
    user: { uid: 3, gid: 4, umask: 0o7 },
  };
  writeFileSync(join(place, "process.json"), JSON.stringify(process));
  const { path, running } = await receiver(runtime);
  const files = ["--process", join(place, "process.json"), "--pid-file", join(place, "pid"), "--pidfd-socket", path];
  await runtime.must(["exec", "--detach", ...files, id]);
  const pid = Number(readFileSync(join(place, "pid"), "utf8"));
  assert.equal(readFileSync(`/proc/${pid}/cmdline`, "utf8"), "sleep\x00999\x00");
  assert.equal(readFileSync(`/proc/${pid}/environ`, "utf8"), "PATH=/bin\x00HOME=/h\x00");
  assert.equal(statusLine(pid, "Uid")?.split("\t")[0], "3");
  assert.equal(statusLine(pid, "Umask"), "0007");
  assert.match((await running.ended).stdout, new RegExp(`^Pid:\t${pid}$`, "m"));
  const { pid: first } = await runtime.state(id);
  for (const kind of ["pid", "mnt", "ipc", "uts", "net"])
    assert.equal(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/${first}/ns/${kind}`), kind);

  const listed = JSON.parse(await runtime.must(["ps", "--format", "json", id]));
  assert.deepEqual([...listed].sort(), [first, pid].sort());
  const table = await runtime.must(["ps", id, "-eo", "pid,args"]);
  assert.match(table, /^ *PID /);
  assert.match(table, new RegExp(`^ *${pid} sleep 999$`, "m"));
  await runtime.remove(id);
});

oci("a terminal goes to the console socket, of exec and of create", async (runtime) => {
  const first = await receiver(runtime);
  const id = runtime.newId();
  const bundle = runtime.bundle({
    script: "tty; stty size; read line",
    process: { terminal: true, consoleSize: { height: 11, width: 22 } },
  });
  await runtime.must(["create", "--bundle", bundle, "--console-socket", first.path, id]);
  const second = await receiver(runtime);
  await runtime.must(["exec", "--tty", "--detach", "--console-socket", second.path, id, "sh", "-c", "echo from exec"]);
  assert.match((await second.running.ended).stdout, /^name=\/dev\/ptmx\ntarget=\/dev\/(pts\/)?ptmx\nfrom exec\r\n$/m);
  await runtime.must(["start", id]);
  await first.running.sees("stdout", "11 22\r\n");
  await runtime.remove(id);
  await first.running.ended;

  const without = await runtime.call(["create", "--bundle", bundle, runtime.newId()]);
  assert.match(without.stderr, /cannot allocate tty if runc will detach without setting console socket/);
  const nobody = await runtime.call(["create", "--bundle", bundle, "--console-socket", "/no/socket", runtime.newId()]);
  assert.match(nobody.stderr, /cannot reach the console socket \/no\/socket: ENOENT/);
  const plain = runtime.bundle();
  const needless = await runtime.call(["create", "--bundle", plain, "--console-socket", first.path, runtime.newId()]);
  assert.match(needless.stderr, /cannot use console socket if runc will not detach or allocate tty/);
});

oci("create sends a pidfd of the first process", async (runtime) => {
  const { path, running } = await receiver(runtime);
  const id = runtime.newId();
  await runtime.must(["create", "--bundle", runtime.bundle(), "--pidfd-socket", path, id]);
  const { pid } = await runtime.state(id);
  const { stdout } = await running.ended;
  assert.match(stdout, /^target=(anon_inode:\[pidfd\]|pidfd:\[\d+\])$/m);
  assert.match(stdout, new RegExp(`^Pid:\t${pid}$`, "m"));
  await runtime.remove(id);
});

oci("descriptors to preserve that were not given are refused", async (runtime) => {
  const { status, stderr } = await runtime.call([
    "run",
    "--preserve-fds",
    "2",
    "--bundle",
    runtime.bundle(),
    runtime.newId(),
  ]);
  assert.equal(status, 1);
  assert.match(stderr, /unable to stat preserved-fd 0 \(of 2\)/);
});

oci("--no-pivot makes a root that shows no kernel interfaces but the container's, also with hooks", async (runtime) => {
  const script = "cat /proc/1/comm; ls /";
  for (const hooks of [undefined, { createRuntime: [{ path: "/bin/true" }] }]) {
    const bundle = runtime.bundle({ script, top: hooks === undefined ? {} : { hooks } });
    const { status, stdout, stderr } = await runtime.call(["run", "--no-pivot", "--bundle", bundle, runtime.newId()]);
    assert.equal(status, 0, stderr);
    const [comm, ...others] = stdout.split("\n");
    assert.equal(comm, "sh");
    assert.deepEqual(others.filter(Boolean).toSorted(), readdirSync(runtime.rootfs).toSorted());
  }
  const id = runtime.newId();
  await runtime.must(["run", "--detach", "--no-pivot", "--bundle", runtime.bundle(), id]);
  const { pid } = await runtime.state(id);
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  assert.equal(mounts.split("\n").filter((line) => line.includes(" - sysfs ")).length, 0);
  assert.equal(await runtime.must(["exec", id, "sh", "-c", "cat /proc/1/comm"]), "sleep\n");
  await runtime.remove(id);
});

oci("a container has a session keyring of its own unless --no-new-keyring says not", async (runtime) => {
  const attacker = compileAttacker(runtime);
  copyFileSync(attacker, join(runtime.rootfs, "attacker"));
  const ours = execFileSync(attacker, ["keyring"], { encoding: "utf8" });
  const theirs = (...flags: string[]) =>
    runtime.must(["run", ...flags, "--bundle", runtime.bundle({ script: "/attacker keyring" }), runtime.newId()]);
  assert.match(ours, /=\d+/);
  assert.equal(await theirs("--no-new-keyring"), ours);
  assert.notEqual(await theirs(), ours);
});

oci("pause, resume, exec into a paused container, list and update", async (runtime) => {
  const id = await runtime.detached();
  await runtime.must(["pause", id]);
  assert.equal((await runtime.state(id)).status, "paused");
  const refused = await runtime.call(["exec", id, "true"]);
  assert.equal(refused.status, 255);
  assert.match(refused.stderr, /cannot exec in a paused container \(use --ignore-paused to override\)/);
  const waiting = runtime.start(["exec", "--ignore-paused", id, "echo", "went on"]);
  await runtime.must(["resume", id]);
  assert.deepEqual(await waiting.ended, { status: 0, stdout: "went on\n", stderr: "" });
  const again = await runtime.call(["resume", id]);
  assert.match(again.stderr, /container not paused/);

  const { pid, bundle } = await runtime.state(id);
  assert.equal(await runtime.must(["list", "--quiet"]), `${id}\n`);
  const [entry] = JSON.parse(await runtime.must(["list", "--format", "json"]));
  assert.equal(entry.id, id);
  assert.equal(entry.pid, pid);
  assert.equal(entry.owner, "root");
  const [head, row] = (await runtime.must(["list"])).split("\n");
  assert.match(head ?? "", /^ID +PID +STATUS +BUNDLE +CREATED +OWNER$/);
  assert.ok(row?.startsWith(id) && row.includes(` running `) && row.includes(String(bundle)));
  await runtime.remove(id);
  assert.equal(await runtime.must(["list", "-q"]), "");
});

oci("events tells statistics once, and at intervals until the container ends", async (runtime) => {
  const id = await runtime.detached();
  const once = JSON.parse(await runtime.must(["events", "--stats", id]));
  assert.equal(once.type, "stats");
  assert.equal(once.id, id);
  assert.equal(once.data.pids.current, 1);
  assert.ok(once.data.memory.usage.usage >= 0 && once.data.cpu.usage.total > 0);
  const following = runtime.start(["events", "--interval", "10ms", id]);
  await following.sees("stdout", /^.*"stats".*\n.*"stats".*\n/);
  await runtime.remove(id);
  assert.equal((await following.ended).status, 0);
  const wrong = await runtime.call(["events", "--interval", "0s", id]);
  assert.match(wrong.stderr, /duration interval must be greater than 0/);
});

oci("spec writes a configuration that runs, and does not overwrite one", async (runtime) => {
  for (const flags of [[], ["--rootless"]]) {
    const bundle = mkdtempSync(join(runtime.directory, "spec-"));
    await runtime.must(["spec", ...flags, "--bundle", bundle]);
    const config = JSON.parse(readFileSync(join(bundle, "config.json"), "utf8"));
    assert.equal(config.process.terminal, true);
    const types = config.linux.namespaces.map(({ type }: { type: string }) => type);
    assert.equal(types.includes("user"), flags.length > 0);
    const refused = await runtime.call(["spec", ...flags], { cwd: bundle });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /File .*config\.json exists\. Remove it first/);
    symlinkSync(runtime.rootfs, join(bundle, "rootfs"));
    const process = { ...config.process, terminal: false, args: ["hostname"] };
    // The cgroups of the machine are not the test's to show.
    writeFileSync(join(bundle, "config.json"), JSON.stringify({ ...config, process }));
    assert.equal(await runtime.must(["run", "--bundle", bundle, runtime.newId()]), `${config.hostname}\n`);
  }
});

oci("features tells of all hooks, namespaces and actions", async (runtime) => {
  const features = JSON.parse(await runtime.must(["features"]));
  assert.deepEqual(features.hooks.toSorted(), [
    "createContainer",
    "createRuntime",
    "poststart",
    "poststop",
    "prestart",
    "startContainer",
  ]);
  for (const type of ["pid", "mount", "ipc", "uts", "network", "cgroup", "user", "time"])
    assert.ok(features.linux.namespaces.includes(type), type);
  assert.ok(features.linux.seccomp.actions.includes("SCMP_ACT_NOTIFY"));
  assert.ok(features.linux.capabilities.includes("CAP_SYS_ADMIN"));
});

oci("errors go to the log as engines parse it, and to standard error", async (runtime) => {
  const log = join(runtime.directory, "log.json");
  for (const [flags, pattern] of [
    [["--log", log, "--log-format", "json"], /^\{"level":"error","msg":"container does not exist","time":"[^"]+"\}\n$/],
    [["--log", log], /^time="[^"]+" level=error msg="container does not exist"\n$/],
  ] as const) {
    const { status, stderr } = await runtime.call([...flags, "state", "nobody"]);
    assert.equal(status, 1);
    assert.match(stderr, /container does not exist/);
    assert.match(readFileSync(log, "utf8"), pattern);
    rmSync(log);
  }
  const format = await runtime.call(["--log-format", "xml", "list"]);
  assert.equal(format.status, 1);
  assert.match(format.stderr, /invalid log-format|unknown log-format/);
  const place = join(runtime.directory, "other-root");
  mkdirSync(place, { mode: 0o700 });
  assert.equal(await runtime.must(["--root", place, "list", "-q"]), "");
  for (const bad of ["", "..", "a/b", "x".repeat(2000)]) {
    const { status, stderr } = await runtime.call(["create", "--bundle", runtime.bundle(), bad]);
    assert.equal(status, 1);
    assert.match(stderr, /invalid container ID format|container ID/);
  }
  const noBundle = await runtime.call(["create", "--bundle", place, runtime.newId()]);
  assert.equal(noBundle.status, 1);
  assert.match(noBundle.stderr, /config\.json/);
});

oci("every command tells its flags, and a mistyped one is guessed", async (runtime) => {
  const { stdout } = await runtime.call(["--help"]);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name]) => name ?? "");
  assert.ok(commands.length >= 17, stdout);
  for (const name of commands) {
    for (const flag of ["-h", "--help"]) {
      assert.match(await runtime.must([name, flag]), new RegExp(`^NAME:\n {3}mycontainer-runtime ${name} - \\w`), name);
    }
  }
  const noTopic = await runtime.call(["strat", "-h"]);
  assert.equal(noTopic.status, 1);
  assert.match(noTopic.stderr, /No help topic for 'strat'/);
  const mistyped = await runtime.call(["strat", "x"]);
  assert.equal(mistyped.status, 1);
  assert.match(mistyped.stderr, /no such command: 'strat' \(did you mean 'start'\?\)/);
});
