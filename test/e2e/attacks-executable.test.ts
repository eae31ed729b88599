/** Attacks on the engine's own executable and processes: CVE-2019-5736, CVE-2016-9962. docs/security.md: R1, R9. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { initPid } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER, type Running, start } from "./harness.ts";
import { addAttacker, compileAttacker, endAttacker, makeRoot } from "./hostile.ts";

const EXECS = 30;
const SPIED_EXECS = 200;

const checksum = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** A container whose first process attacks; `bin/again` in it is a script that the runtime's own executable is to run. */
async function startAttack(
  engine: Engine,
  flags: string[],
  attack: string[],
): Promise<{ name: string; attacker: Running; root: string }> {
  const root = makeRoot(engine);
  const program = addAttacker(engine, root);
  writeFileSync(join(root, "bin/again"), "#!/proc/self/exe\n");
  chmodSync(join(root, "bin/again"), 0o755);
  const name = "attacked";
  const command = ["run", "--network", "none", "--cpus", "0", "--name", name, ...flags, "--rootfs", root];
  const attacker = engine.start([...command, program, ...attack]);
  // Only then it can be entered: the program itself may be quicker than the note that it runs.
  await attacker.sees("stderr", "Container ready");
  await attacker.sees("stdout", "ready");
  return { name, attacker, root };
}

for (const [who, flags] of [
  ["a container", []],
  ["a container that may trace processes", ["--cap-add", "SYS_PTRACE"]],
  ["a privileged container", ["--privileged"]],
] as const) {
  e2e(`${who} that is made to run our executable cannot write to it`, async (engine, t) => {
    const before = checksum(MYCONTAINER);
    const { name, attacker } = await startAttack(engine, [...flags], ["exe", "--remount"]);
    for (let turn = 0; turn < EXECS; turn++) {
      const command = turn % 2 === 0 ? ["/proc/self/exe", "--help"] : ["/bin/again"];
      await engine.call(["exec", name, ...command]);
    }
    const { seen = 0, opened, readonly, remounted } = await endAttacker(engine, name, attacker);
    t.diagnostic(`our executable was attacked ${seen} times, and the answer was EROFS ${readonly} times`);
    assert.ok(seen > 0, "the attacker never saw our executable: nothing was tried");
    assert.deepEqual({ opened, readonly, remounted }, { opened: 0, readonly: seen, remounted: 0 });
    assert.equal(checksum(MYCONTAINER), before);
  });
}

/** Has the victim enter the container. That it cannot be started is the attack at work: somebody has it open for writing. */
async function enterBy(engine: Engine, victim: string, pid: number): Promise<void> {
  try {
    await start(engine.directory, [victim, "enter", String(pid)]).ended;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ETXTBSY")) throw error;
  }
}

e2e("the same attack changes an executable that enters the container unprotected", async (engine) => {
  const { name, attacker, root } = await startAttack(engine, [], ["exe"]);
  const pid = await initPid(engine, name);
  const victim = join(engine.directory, "victim");
  copyFileSync(join(root, "attacker"), victim);
  const before = checksum(victim);
  for (let turn = 0; turn < EXECS && checksum(victim) === before; turn++) {
    await enterBy(engine, victim, pid);
  }
  const { opened } = await endAttacker(engine, name, attacker);
  assert.ok((opened ?? 0) > 0);
  assert.notEqual(checksum(victim), before);
});

for (const entrypoint of ["/proc/self/exe", "/bin/again"]) {
  e2e(
    `a container whose command is ${entrypoint} runs our executable as any program, and leaves it as it was`,
    async (engine) => {
      const before = checksum(MYCONTAINER);
      const root = makeRoot(engine);
      writeFileSync(join(root, "bin/again"), "#!/proc/self/exe\n");
      chmodSync(join(root, "bin/again"), 0o755);
      const { stdout } = await engine.call(["run", "-q", "--network", "none", "--rootfs", root, entrypoint, "--help"]);
      assert.doesNotMatch(stdout, /busybox/i);
      assert.equal(checksum(MYCONTAINER), before);
    },
  );
}

e2e("a container sees nothing of the processes that enter it, before they are its own", async (engine, t) => {
  const { name, attacker } = await startAttack(engine, [], ["spy"]);
  for (let turn = 0; turn < SPIED_EXECS; turn += 4) {
    const calls = Array.from({ length: 4 }, () => engine.call(["exec", name, "/bin/true"]));
    for (const { status, stderr } of await Promise.all(calls)) assert.equal(status, 0, stderr);
  }
  const { seen, opened } = await endAttacker(engine, name, attacker);
  t.diagnostic(`${SPIED_EXECS} execs: ${seen} looks at a process of ours, ${opened} files opened`);
  assert.ok((seen ?? 0) > 0, "the attacker never saw a process of ours: nothing was tried");
  assert.equal(opened, 0);
});

e2e("the same attacker looks into a process that enters the container unprotected", async (engine) => {
  const { name, attacker } = await startAttack(engine, [], ["spy"]);
  const pid = await initPid(engine, name);
  for (let turn = 0; turn < EXECS; turn++) {
    await start(engine.directory, [compileAttacker(engine), "enter", String(pid)]).ended;
  }
  const { opened } = await endAttacker(engine, name, attacker);
  assert.ok((opened ?? 0) > 0);
});
