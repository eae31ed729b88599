/**
 * Attacks on the runtime's processes: while a container is made, while it waits for its start, while another program enters it.
 * docs/security.md: R1, R8, R9.
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MYCONTAINER_RUNTIME, start } from "./harness.ts";
import { addAttacker, countsOf, makeRoot } from "./hostile.ts";
import {
  type Change,
  makeBundle,
  namespaces,
  oci,
  openPipe,
  type Runtime,
  remove,
  startSleeper,
  stateOf,
  statusOf,
} from "./oci-bundles.ts";

const shellHook = (script: string) => ({ path: "/bin/sh", args: ["sh", "-c", script] });

oci("no program enters a container before its root is made", async (runtime) => {
  const [here, go] = [openPipe(runtime), openPipe(runtime)];
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"], {
    hooks: { createRuntime: [shellHook(`echo >${here.path}; read line <${go.path}`)] },
  });
  const making = runtime.start(["create", "--bundle", bundle, "half"]);
  await here.read();
  assert.equal((await stateOf(runtime, "half")).status, "creating");
  const { status, stdout, stderr } = await runtime.call(["exec", "half", "/bin/sh", "-c", "cat /etc/hostname; id"]);
  assert.deepEqual([status, stdout], [255, ""], stderr);
  assert.match(stderr, /cannot exec in a container that is being made/);
  assert.match((await runtime.call(["start", "half"])).stderr, /cannot start/);
  go.write();
  assert.equal((await making.ended).status, 0);
  for (const pipe of [here, go]) pipe.close();
  await remove(runtime, "half");
});

const FIRST_ID = 200_000;
const MAPS = [{ containerID: 0, hostID: FIRST_ID, size: 65_536 }];
const MAPPED = { uidMappings: MAPS, gidMappings: MAPS };

/** A root that belongs to the root of a user namespace, too. */
function makeMappedRoot(runtime: Runtime): string {
  const root = makeRoot(runtime);
  chmodSync(runtime.directory, 0o755);
  chownSync(root, FIRST_ID, FIRST_ID);
  return root;
}

/** Descriptors of a process, by number. */
function filesOf(pid: number): Record<number, string> {
  return Object.fromEntries(readdirSync(`/proc/${pid}/fd`).map((fd) => [fd, readlinkSync(`/proc/${pid}/fd/${fd}`)]));
}

oci("a container that waits for its start has its streams, its gate, and nothing of the host's", async (runtime) => {
  const line = 'exec 7</ 9</etc/passwd 20</proc 33</dev/null; exec "$@"';
  for (const linux of [{}, { namespaces: namespaces([], [{ type: "user" }]), ...MAPPED }]) {
    const bundle = makeBundle(
      runtime,
      ["/bin/true"],
      { linux, annotations: { canary: "x".repeat(100) } },
      makeMappedRoot(runtime),
    );
    const command = [MYCONTAINER_RUNTIME, "--root", runtime.root, "create", "--bundle", bundle, "waits"];
    const { status, stderr } = await start(runtime.directory, ["bash", "-c", line, "bash", ...command], {
      env: { ...runtime.env, SECRET: "of the host" },
    }).ended;
    assert.equal(status, 0, stderr);
    const { pid } = await stateOf(runtime, "waits");
    const files = filesOf(pid);
    const others = Object.values(files)
      .slice(3)
      .filter((file) => !/^socket:|^anon_inode:\[signalfd\]$/.test(file));
    assert.deepEqual(others, [], JSON.stringify(files));
    assert.ok(Object.keys(files).length <= 5, JSON.stringify(files));
    assert.equal(statusOf(pid, "CapInh"), "0000000000000000");
    assert.equal(statusOf(pid, "NoNewPrivs"), "1");
    for (const link of ["root", "cwd"]) assert.equal(readlinkSync(`/proc/${pid}/${link}`), "/");
    await remove(runtime, "waits");
  }
});

/** What a program in the container, of the same user, can open of its first process. */
const PRY = `
  for file in environ mem maps auxv fd/0 fd/3 fd/4 fd/5 root/bin cwd/bin exe; do
    (: </proc/1/$file) 2>/dev/null && echo "$file was opened"
  done
  for link in exe cwd root fd/0 fd/3 ns/mnt; do readlink /proc/1/$link; done
  true`;

oci("a program in a container that waits cannot look into its first process", async (runtime) => {
  await runtime.must(["create", "--bundle", makeBundle(runtime, ["/bin/sleep", "1000"]), "waits"]);
  const { stdout, stderr } = await runtime.must(["exec", "waits", "/bin/sh", "-c", PRY]);
  assert.equal(stdout, "", stderr);
  await runtime.must(["start", "waits"]);
  const { stdout: later } = await runtime.must(["exec", "waits", "/bin/sh", "-c", PRY]);
  assert.match(later, /environ was opened/); // of the program itself
  await remove(runtime, "waits");
});

oci("another container of the same PID namespace cannot look into one that waits, nor start it", async (runtime) => {
  await startSleeper(runtime, "pod");
  const { pid } = await stateOf(runtime, "pod");
  const shared = namespaces(["pid"], [{ type: "pid", path: `/proc/${pid}/ns/pid` }]);
  const linux = { namespaces: shared };
  await runtime.must(["create", "--bundle", makeBundle(runtime, ["/bin/sleep", "1000"], { linux }), "waits"]);
  const inside = statusOf((await stateOf(runtime, "waits")).pid, "NSpid")
    .split("\t")
    .at(-1);
  const script = `${PRY.replaceAll("/proc/1/", `/proc/${inside}/`)}; cat /proc/net/unix | grep start; kill -CONT ${inside}`;
  const { stdout, stderr } = await runtime.must(["exec", "pod", "/bin/sh", "-c", script]);
  assert.equal(stdout, "", stderr);
  assert.equal((await stateOf(runtime, "waits")).status, "created");
  await remove(runtime, "waits", "pod");
});

const SPIED_EXECS = 300;

for (const [who, change] of [
  ["a container", {}],
  ["a container in a user namespace", { linux: { namespaces: namespaces([], [{ type: "user" }]), ...MAPPED } }],
] as const satisfies readonly (readonly [string, Change])[]) {
  oci(`${who} sees nothing of the processes that enter it`, async (runtime, t) => {
    const root = makeMappedRoot(runtime);
    const program = addAttacker(runtime, root);
    const attacker = runtime.start(["run", "--bundle", makeBundle(runtime, [program, "spy"], change, root), "spies"]);
    await attacker.sees("stdout", "ready");
    for (let turn = 0; turn < SPIED_EXECS; turn += 4) {
      const calls = Array.from({ length: 4 }, () => runtime.call(["exec", "spies", "/bin/true"]));
      for (const { status, stderr } of await Promise.all(calls)) assert.equal(status, 0, stderr);
    }
    await runtime.must(["kill", "spies", "TERM"]);
    const { seen = 0, opened } = countsOf((await attacker.ended).stdout);
    t.diagnostic(`${SPIED_EXECS} execs: ${seen} looks, ${opened} files opened`);
    assert.ok(seen > 0, "nothing was tried");
    assert.equal(opened, 0);
  });
}

oci("a container that may trace processes finds no way to the host through those that enter it", async (runtime, t) => {
  const root = makeRoot(runtime);
  const marked = join(runtime.directory, "of-the-host");
  writeFileSync(marked, "");
  const tracing = ["CAP_SYS_PTRACE", "CAP_SYS_CHROOT", "CAP_KILL"];
  const process = { capabilities: { bounding: tracing, effective: tracing, permitted: tracing } };
  const bundle = makeBundle(runtime, [addAttacker(runtime, root), "through", marked], { process }, root);
  const attacker = runtime.start(["run", "--bundle", bundle, "traces"]);
  await attacker.sees("stdout", "ready");
  for (let turn = 0; turn < SPIED_EXECS; turn += 4) {
    const calls = Array.from({ length: 4 }, () => runtime.call(["exec", "traces", "/bin/true"]));
    for (const { status, stderr } of await Promise.all(calls)) assert.equal(status, 0, stderr);
  }
  await runtime.must(["kill", "traces", "TERM"]);
  const { seen = 0, opened } = countsOf((await attacker.ended).stdout);
  t.diagnostic(`${SPIED_EXECS} execs: ${seen} roots seen, ${opened} of them the host's`);
  assert.ok(seen > 0, "nothing was seen: who may trace them could not");
  assert.equal(opened, 0);
});

oci("a program in a container that kills what enters it gets nothing by that, and execs end", async (runtime, t) => {
  const root = makeRoot(runtime);
  const bundle = makeBundle(runtime, [addAttacker(runtime, root), "kill"], {}, root);
  const attacker = runtime.start(["run", "--bundle", bundle, "kills"]);
  await attacker.sees("stdout", "ready");
  let ran = 0;
  for (let turn = 0; turn < SPIED_EXECS / 3; turn += 4) {
    const calls = Array.from({ length: 4 }, () => runtime.call(["exec", "kills", "/bin/echo", "ran"]));
    for (const { status, stdout, stderr } of await Promise.all(calls)) {
      assert.ok([0, 137, 255].includes(status), `${status}: ${stderr}`);
      if (status === 0) assert.equal(stdout, "ran\n");
      else assert.equal(stdout, "");
      ran += status === 0 ? 1 : 0;
    }
  }
  await runtime.must(["kill", "kills", "TERM"]);
  const { seen = 0 } = countsOf((await attacker.ended).stdout);
  t.diagnostic(`${seen} processes killed, ${ran} execs ran`);
  assert.ok(seen > 0, "nothing was killed");
});
