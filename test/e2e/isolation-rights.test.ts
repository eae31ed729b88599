/** What a container's programs may do: capabilities, no_new_privs, limits of resources, system calls, keys. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { execOutput, outputOf, removeAll, runScript, startDetached, statusField } from "./containers.ts";
import { type Engine, e2e } from "./harness.ts";
import { addAttacker, compileAttacker, countsOf, makeRoot } from "./hostile.ts";

/** CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP */
const DOCKERS = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31];
const SYS_ADMIN = 21;

const maskOf = (capabilities: number[]) => capabilities.reduce((mask, number) => mask | (1n << BigInt(number)), 0n);
/** What this machine lacks a container cannot have. */
const here = () => BigInt(`0x${statusField(process.pid, "CapBnd")}`);
const setOf = (status: string, name: string) => BigInt(`0x${statusField(status, name)}`);
const status = (engine: Engine, flags: string[] = []) => outputOf(engine, "cat /proc/self/status", flags);

e2e("a container has Docker's fourteen capabilities, and no others", async (engine) => {
  const text = await status(engine);
  const expected = maskOf(DOCKERS) & here();
  for (const name of ["CapBnd", "CapPrm", "CapEff"]) assert.equal(setOf(text, name), expected, name);
});

e2e("capabilities are added and dropped by name, and ALL is all", async (engine) => {
  const bounding = async (...flags: string[]) => setOf(await status(engine, flags), "CapBnd");
  assert.equal(await bounding("--cap-drop", "ALL"), 0n);
  assert.equal(await bounding("--cap-drop", "ALL", "--cap-add", "chown"), 1n);
  assert.equal(await bounding("--cap-add", "CAP_SYS_ADMIN"), maskOf([...DOCKERS, SYS_ADMIN]) & here());
  assert.equal(await bounding("--cap-drop", "mknod"), maskOf(DOCKERS.filter((number) => number !== 27)) & here());
  assert.equal(await bounding("--privileged"), here());
});

e2e("a program of exec has the container's capabilities", async (engine) => {
  const id = await startDetached(engine, ["--network", "none", "--cap-drop", "chown"]);
  const text = await execOutput(engine, id, "cat", "/proc/self/status");
  const expected = maskOf(DOCKERS.filter((number) => number !== 0)) & here();
  for (const name of ["CapBnd", "CapPrm", "CapEff"]) assert.equal(setOf(text, name), expected, name);
  await removeAll(engine, id);
});

e2e("users other than root have no_new_privs, so that no set-uid program makes them root", async (engine) => {
  assert.equal(statusField(await status(engine, ["-u", "1000"]), "NoNewPrivs"), "1");
  assert.equal(statusField(await status(engine), "NoNewPrivs"), "0");
  const asked = await status(engine, ["--security-opt", "no-new-privileges"]);
  assert.equal(statusField(asked, "NoNewPrivs"), "1");
  const id = await startDetached(engine, ["--network", "none"]);
  const { stdout } = await engine.call(["exec", "-u", "1000", id, "cat", "/proc/self/status"]);
  assert.equal(statusField(stdout, "NoNewPrivs"), "1");
  await removeAll(engine, id);
});

e2e("limits of resources are those that were asked for", async (engine) => {
  const text = await outputOf(engine, "ulimit -Sn; ulimit -Hn; ulimit -Sc", [
    "--ulimit",
    "nofile=100:200",
    "--ulimit",
    "core=0",
  ]);
  assert.equal(text, "100\n200\n0\n");
  const { stdout } = await runScript(engine, "exec 150</dev/null && echo opened", ["--ulimit", "nofile=100:200"]);
  assert.equal(stdout, "");
});

e2e("system calls are filtered, unless the container is privileged or that was taken away", async (engine) => {
  const filtered = async (...flags: string[]) => statusField(await status(engine, flags), "Seccomp");
  assert.equal(await filtered(), "2");
  assert.equal(await filtered("-u", "1000"), "2");
  assert.equal(await filtered("--init"), "2");
  assert.equal(await filtered("--security-opt", "seccomp=unconfined"), "0");
  assert.equal(await filtered("--privileged"), "0");
  const id = await startDetached(engine, ["--network", "none"]);
  assert.equal(statusField(await execOutput(engine, id, "cat", "/proc/self/status"), "Seccomp"), "2");
  await removeAll(engine, id);
});

e2e("namespaces, mounts and keys are closed to a container", async (engine) => {
  const script = `
    unshare -U true 2>/dev/null && echo user
    unshare -m true 2>/dev/null && echo mount
    mount -t tmpfs none /mnt 2>/dev/null && echo mounted
    true`;
  assert.equal(await outputOf(engine, script), "");
});

e2e("the session keyring is a new one", async (engine) => {
  const root = makeRoot(engine);
  const program = addAttacker(engine, root);
  const flags = ["--network", "none", "--security-opt", "seccomp=unconfined", "--rootfs", root];
  const keyring = (text: string) => countsOf(text)["keyring"] ?? 0;
  const { stdout } = await engine.call(["run", "-q", ...flags, program, "keyring"]);
  const ours = execFileSync(compileAttacker(engine), ["keyring"], { encoding: "utf8" });
  assert.ok(keyring(stdout) > 0, stdout);
  assert.notEqual(keyring(stdout), keyring(ours));
});
