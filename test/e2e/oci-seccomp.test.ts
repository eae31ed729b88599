/**
 * `linux.seccomp` of config.json, by what calls do in the container.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { NAMESPACES, oci, receiver, statusLine } from "./bundles.ts";

const rule = (names: string[], action: string, more: object = {}) => ({ names, action, ...more });
const profile = (...syscalls: object[]) => ({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls } });

oci("ERRNO, ALLOW, LOG and arguments decide what a call gives", async (runtime) => {
  const script = `
    mkdir /tmp/a 2>&1; chmod 700 /tmp 2>&1; ln -s a /tmp/link 2>&1 && rm /tmp/link
    kill -0 1 && echo kill0; kill -17 1 2>&1; sync && echo synced; hostname new 2>&1`;
  const { status, stdout, stderr } = await runtime.run({
    script,
    linux: profile(
      rule(["mkdir", "mkdirat"], "SCMP_ACT_ERRNO"),
      rule(["chmod", "fchmodat"], "SCMP_ACT_ERRNO", { errnoRet: 28 }),
      rule(["kill"], "SCMP_ACT_ERRNO", { errnoRet: 3, args: [{ index: 1, value: 17, op: "SCMP_CMP_EQ" }] }),
      rule(["sync", "no_such_call_at_all"], "SCMP_ACT_LOG"),
      rule(["sethostname"], "SCMP_ACT_ERRNO", { errnoRet: 13 }),
    ),
  });
  assert.equal(status, 1, stderr);
  assert.match(stdout, /mkdir: .*Operation not permitted/);
  assert.match(stdout, /chmod: .*No space left on device/);
  assert.match(stdout, /kill0/);
  assert.match(stdout, /can't kill pid 1: No such process/);
  assert.match(stdout, /synced/);
  assert.match(stdout, /hostname: .*Permission denied/);
});

oci("KILL and TRAP end the process, by SIGSYS", async (runtime) => {
  const linuxOf = (action: string) => ({
    namespaces: NAMESPACES.filter(({ type }) => type !== "pid"),
    ...profile(rule(["mkdir", "mkdirat"], action)),
  });
  for (const action of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"]) {
    const { status } = await runtime.run({ process: { args: ["mkdir", "/tmp/x"] }, linux: linuxOf(action) });
    assert.equal(status, 128 + 31, action);
  }
});

oci("TRACE without a tracer gives ENOSYS", async (runtime) => {
  const { status, stdout } = await runtime.run({
    script: "mkdir /tmp/x 2>&1",
    linux: profile(rule(["mkdir", "mkdirat"], "SCMP_ACT_TRACE")),
  });
  assert.equal(status, 1);
  assert.match(stdout, /Function not implemented/);
});

oci("a filter holds for what exec starts, too, with and without new privileges", async (runtime) => {
  for (const noNewPrivileges of [false, true]) {
    const id = await runtime.detached({
      process: { noNewPrivileges },
      linux: profile(rule(["mkdir", "mkdirat"], "SCMP_ACT_ERRNO", { errnoRet: 30 })),
    });
    const { pid } = await runtime.state(id);
    assert.equal(statusLine(pid, "Seccomp"), "2");
    const { status, stderr } = await runtime.call(["exec", id, "mkdir", "/tmp/x"]);
    assert.equal(status, 1);
    assert.match(stderr, /Read-only file system/);
    await runtime.remove(id);
  }
});

oci("NOTIFY hands the calls of a container to the agent that the profile names", async (runtime) => {
  const { path, running } = await receiver(runtime);
  const id = runtime.newId();
  const seccomp = {
    ...profile(rule(["mkdir", "mkdirat"], "SCMP_ACT_NOTIFY")).seccomp,
    listenerPath: path,
    listenerMetadata: "meta",
  };
  await runtime.must(["create", "--bundle", runtime.bundle({ linux: { seccomp } }), id]);
  await runtime.must(["start", id]);
  const { pid } = await runtime.state(id);
  const { stdout } = await running.ended;
  assert.match(stdout, /^target=anon_inode:seccomp notify$/m);
  const state = JSON.parse(/^name=(.*)$/m.exec(stdout)?.[1] ?? "null");
  assert.equal(state.metadata, "meta");
  assert.equal(state.pid, pid);
  assert.equal(state.state.id, id);
  assert.deepEqual(state.fds, ["seccompFd"]);
  await runtime.remove(id);
});

oci("without the agent that the profile names nothing runs, by start, run and exec", async (runtime) => {
  const { path, running } = await receiver(runtime);
  for (const noNewPrivileges of [false, true]) {
    const listenerPath = join(runtime.directory, "none");
    const seccomp = { ...profile(rule(["mkdir", "mkdirat"], "SCMP_ACT_NOTIFY")).seccomp, listenerPath };
    const process = { args: ["sh", "-c", "echo ran; exec sleep 1000"], noNewPrivileges };
    const bundle = runtime.bundle({ process, linux: { seccomp } });
    const ran = await runtime.call(["run", "--bundle", bundle, runtime.newId()]);
    assert.deepEqual([ran.status, ran.stdout], [1, ""]);
    const id = runtime.newId();
    const created = await runtime.call(["create", "--bundle", bundle, id]);
    // Without no_new_privs the filter is there before the container waits.
    assert.equal(created.status, noNewPrivileges ? 0 : 1, created.stderr);
    if (!noNewPrivileges) continue;
    const started = await runtime.call(["start", id]);
    assert.equal(started.status, 1);
    assert.match(started.stderr, /failed to connect with seccomp agent/);
    assert.equal((await runtime.state(id)).status, "stopped");
    await runtime.remove(id);
  }
  // Its agent goes away once it has the first listener.
  const seccomp = { ...profile(rule(["mkdir", "mkdirat"], "SCMP_ACT_NOTIFY")).seccomp, listenerPath: path };
  const id = await runtime.detached({ linux: { seccomp } });
  await running.ended;
  const executed = await runtime.call(["exec", id, "echo", "ran"]);
  assert.deepEqual([executed.status, executed.stdout], [255, ""]);
  assert.match(executed.stderr, /failed to connect with seccomp agent/);
  await runtime.remove(id);
});

oci("profiles that cannot be kept are errors", async (runtime) => {
  const nobody = {
    ...profile(rule(["mkdir"], "SCMP_ACT_NOTIFY")).seccomp,
    listenerPath: join(runtime.directory, "none"),
  };
  for (const [seccomp, text] of [
    [{ defaultAction: "SCMP_ACT_NO" }, /SCMP_ACT_NO/],
    [{ ...profile(rule(["write"], "SCMP_ACT_NOTIFY")).seccomp, listenerPath: "/x" }, /write/],
    [profile(rule(["mkdir"], "SCMP_ACT_NOTIFY")).seccomp, /listenerPath|SCMP_ACT_NOTIFY/],
    [nobody, /none.*(ENOENT|no such file)/i],
    [{ defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_NO"] }, /SCMP_ARCH_NO/],
  ] as const) {
    const { status, stderr } = await runtime.run({ script: "true", linux: { seccomp } });
    assert.equal(status, 1, stderr);
    assert.match(stderr, text);
  }
});
