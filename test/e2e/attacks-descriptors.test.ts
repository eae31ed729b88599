/** Attacks by descriptors that are open when the program starts: CVE-2024-21626. docs/security.md: R8. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { execOutput, removeAll, runScript, startDetached } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER, type Outcome, start } from "./harness.ts";

const FIRST = 3;
const LAST = 20;
const NUMBERS = Array.from({ length: LAST - FIRST + 1 }, (_, index) => FIRST + index);
/** Where descriptors are found, and where one of them would lead to on the host. */
const WAYS = (number: number) => [
  `/proc/self/fd/${number}`,
  `/proc/thread-self/fd/${number}`,
  `/proc/self/fd/${number}/../../../../..`,
  `/dev/fd/${number}`,
];

/** As `engine.call`, by a shell that has directories and files of the host open. */
function callWithOpenFiles(engine: Engine, args: string[], options: { stdin?: string } = {}): Promise<Outcome> {
  const line = `exec 5</etc/passwd 6</ 9<${engine.directory} 20</proc; exec "$@"`;
  return start(engine.directory, ["bash", "-c", line, "bash", MYCONTAINER, ...args], { env: engine.env, ...options })
    .ended;
}

e2e("a working directory that is a descriptor is refused by run", async (engine) => {
  for (const number of NUMBERS) {
    for (const way of WAYS(number)) {
      const command = ["run", "-q", "--network", "none", "-w", way, "busybox", "ls", "../../../.."];
      const { status, stdout, stderr } = await callWithOpenFiles(engine, command);
      assert.deepEqual([status === 0, stdout], [false, ""], `${way}: ${stderr}`);
      assert.match(stderr, /^mycontainer: .*\n$/);
    }
  }
});

e2e("a working directory that is a descriptor is refused by exec", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  for (const number of NUMBERS) {
    for (const way of [...WAYS(number), `/proc/1/fd/${number}`]) {
      const { status, stdout, stderr } = await callWithOpenFiles(engine, ["exec", "-w", way, id, "ls", "../../../.."]);
      assert.deepEqual([status === 0, stdout], [false, ""], `${way}: ${stderr}`);
      assert.match(stderr, /^mycontainer: .*\n$/);
    }
  }
  await removeAll(engine, id);
});

e2e("a program that is named by way of a descriptor is not found, by run and exec", async (engine) => {
  const id = await startDetached(engine, ["--network", "none"]);
  for (const number of NUMBERS) {
    for (const program of [`/proc/self/fd/${number}/bin/busybox`, `/proc/self/fd/${number}/../../bin/busybox`]) {
      for (const command of [
        ["run", "-q", "--network", "none", "busybox", program, "id"],
        ["exec", id, program, "id"],
      ]) {
        const { status, stdout } = await callWithOpenFiles(engine, command);
        assert.deepEqual([status, stdout], [127, ""], command.join(" "));
      }
    }
  }
  await removeAll(engine, id);
});

e2e("a search path that goes by way of a descriptor finds nothing", async (engine) => {
  const path = NUMBERS.map((number) => `/proc/self/fd/${number}/bin`).join(":");
  const command = ["run", "-q", "--network", "none", "-e", `PATH=${path}`, "busybox", "busybox", "id"];
  const { status, stdout } = await callWithOpenFiles(engine, command);
  assert.deepEqual([status, stdout], [127, ""]);
});

/** A shell that says which of its descriptors are open. Listing the directory would open one more. */
const LIST = ["sh", "-c", "for fd in $(seq 0 63); do if test -L /proc/$$/fd/$fd; then echo $fd; fi; done"];
const ONLY_THREE = "0\n1\n2\n";

e2e("a program has its three streams open and nothing else, whatever the caller of run had open", async (engine) => {
  for (const flags of [[], ["-i"], ["--init"], ["--network", "none"], ["--userns", "auto"]]) {
    const { status, stdout, stderr } = await callWithOpenFiles(engine, ["run", "-q", ...flags, "busybox", ...LIST]);
    assert.deepEqual([status, stdout], [0, ONLY_THREE], `${flags}: ${stderr}`);
  }
});

e2e("so has a program on a terminal", async (engine) => {
  const terminal = engine.startOnTerminal(["run", "-q", "-t", "busybox", ...LIST]);
  const { stdout } = await terminal.ended;
  assert.equal(stdout.replaceAll("\r", ""), ONLY_THREE);
});

e2e("so have the programs of a detached container and of exec", async (engine) => {
  const { stdout: id } = await callWithOpenFiles(engine, ["run", "-d", "busybox", "sleep", "1000"]);
  const name = id.trim();
  assert.equal(await execOutput(engine, name, "ls", "/proc/1/fd"), ONLY_THREE);
  for (const flags of [[], ["-i"], ["-u", "1000"], ["--privileged"]]) {
    const { status, stdout, stderr } = await callWithOpenFiles(engine, ["exec", ...flags, name, ...LIST]);
    assert.deepEqual([status, stdout], [0, ONLY_THREE], `${flags}: ${stderr}`);
  }
  await removeAll(engine, name);
});

e2e("the first process of --init has nothing of ours open", async (engine) => {
  const { status, stdout } = await runScript(engine, "ls /proc/1/fd | wc -l", ["--init", "--cap-add", "SYS_PTRACE"]);
  assert.equal(status, 0);
  // A signal descriptor and the poll it is in are its own.
  assert.ok(Number(stdout) <= 2, `${stdout} are open`);
});

e2e("a monitor keeps no directory, terminal or socket of its caller's", async (engine) => {
  const { stdout } = await callWithOpenFiles(engine, ["run", "-d", "--name", "watched", "busybox", "sleep", "1000"]);
  const id = stdout.trim();
  const monitor = execFileSync("pgrep", ["-f", "^mycontainer-monitor"], { encoding: "utf8" }).trim().split("\n");
  assert.equal(monitor.length, 1);
  const files = execFileSync("ls", ["-l", join("/proc", monitor[0] ?? "", "fd")], { encoding: "utf8" });
  for (const path of ["/etc/passwd", `${engine.directory}\n`, " -> /\n", "/proc\n", "/output-"]) {
    assert.ok(!files.includes(path), `${path} is open in the monitor:\n${files}`);
  }
  await removeAll(engine, id);
});
