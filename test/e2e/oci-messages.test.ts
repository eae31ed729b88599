/**
 * What the OCI face says: steps with `--debug`, its own name, and why a program does not run.
 */
import assert from "node:assert/strict";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Json, oci, type Runtime } from "./bundles.ts";
import { MYCONTAINER_RUNTIME, start } from "./harness.ts";

const SECCOMP = {
  defaultAction: "SCMP_ACT_ALLOW",
  flags: ["SECCOMP_FILTER_FLAG_LOG"],
  syscalls: [{ names: ["write"], action: "SCMP_ACT_ERRNO" }],
};

function assertSteps(messages: string[], what: string): void {
  for (const step of [/new namespaces: pid/, /mounting proc on \/proc/, /child process in init/, /closing the pipe/]) {
    assert.ok(
      messages.some((message) => step.test(message)),
      `${what}: ${step} is not in ${messages.join(" | ")}`,
    );
  }
}

oci("--debug tells steps on standard error, and with --log there alone, as text or JSON", async (runtime) => {
  const bundle = runtime.bundle({ process: { args: ["true"] } });
  const plain = await runtime.call(["run", "--bundle", bundle, runtime.newId()]);
  assert.deepEqual(plain, { status: 0, stdout: "", stderr: "" });
  const told = await runtime.call(["--debug", "run", "--bundle", bundle, runtime.newId()]);
  assert.equal(told.status, 0, told.stderr);
  const lines = told.stderr.trim().split("\n");
  for (const line of lines) assert.match(line, /^time="[^"]+" level=debug msg="/);
  assertSteps(lines, "standard error");
  for (const format of ["text", "json"]) {
    const log = join(bundle, `${format}.log`);
    const options = ["--debug", "--log", log, "--log-format", format];
    const { status, stderr } = await runtime.call([...options, "run", "--bundle", bundle, runtime.newId()]);
    assert.equal(status, 0, stderr);
    assert.equal(stderr, "");
    const records = readFileSync(log, "utf8").trim().split("\n");
    const messages =
      format === "text" ? records : records.map((record) => (JSON.parse(record) as Json)["msg"] as string);
    assertSteps(messages, format);
    for (const record of records) assert.match(record, format === "text" ? /level=debug/ : /"level":"debug"/);
  }
});

oci("steps are told before a filter of calls could forbid it", async (runtime) => {
  for (const noNewPrivileges of [false, true]) {
    const bundle = runtime.bundle({ process: { args: ["true"], noNewPrivileges }, linux: { seccomp: SECCOMP } });
    const { status, stderr } = await runtime.call(["--debug", "run", "--bundle", bundle, runtime.newId()]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /msg="seccomp filter flags: 2"/);
  }
});

oci("a directory of states that is named and not there cannot be listed", async (runtime) => {
  const state = join(runtime.directory, "no-state");
  const { status, stderr } = await runtime.call(["--root", state, "list"]);
  assert.equal(status, 1);
  assert.match(stderr, /no-state: no such file or directory/);
});

oci("exec tells steps, too", async (runtime) => {
  const id = await runtime.detached();
  const { status, stderr } = await runtime.call(["--debug", "exec", id, "true"]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /level=debug msg="setns_init: about to exec"/);
  await runtime.remove(id);
});

/** The runtime by another name. */
function linked(runtime: Runtime, name: string): (...args: string[]) => Promise<{ stdout: string; stderr: string }> {
  const link = join(mkdtempSync(join(runtime.directory, "name-")), name);
  symlinkSync(MYCONTAINER_RUNTIME, link);
  const env = { MYCONTAINER_RUN: runtime.roots.run };
  return (...args) => start(runtime.directory, [link, "--root", runtime.roots.root, ...args], { env }).ended;
}

oci("linked as runc it is the runtime, and speaks of itself by that name", async (runtime) => {
  const runc = linked(runtime, "runc");
  assert.match((await runc("--version")).stdout, /^runc version \d+\.\d+\.\d+\ncommit: \S+\nspec: \d+\.\d+\.\d+\n$/);
  assert.match((await runc("--help")).stdout, /^NAME:\n {3}runc - Open Container Initiative runtime\n/);
  assert.match((await runc("kill", "-h")).stdout, /^NAME:\n {3}runc kill - /);
  const bundle = runtime.bundle({ process: { args: ["/nonexistent"] } });
  const { stderr } = await runc("run", "--bundle", bundle, runtime.newId());
  assert.match(stderr, /^runc run failed: unable to start container process: exec: "\/nonexistent": no such file/);
  // Its executable is as sealed as by its own name (CVE-2019-5736).
  const id = runtime.newId();
  await runc("create", "--bundle", runtime.bundle(), id);
  const { pid } = await runtime.state(id);
  assert.throws(() => accessSync(`/proc/${pid}/exe`, constants.W_OK), /EROFS|ETXTBSY/);
  await runtime.remove(id);
});

oci("a program that is there and does not run is told of in one line, as a shell does it", async (runtime) => {
  const script = join(runtime.rootfs, "no-interpreter.sh");
  writeFileSync(script, "#!/nonexistent/interpreter\n");
  chmodSync(script, 0o755);
  try {
    const { status, stderr } = await runtime.run({ process: { args: ["/no-interpreter.sh"] } });
    assert.notEqual(status, 0);
    assert.equal(stderr, "exec /no-interpreter.sh: no such file or directory\n");
    const log = join(runtime.directory, "log");
    const bundle = runtime.bundle({ process: { args: ["/no-interpreter.sh"] } });
    await runtime.call(["--log", log, "run", "--bundle", bundle, runtime.newId()]);
    assert.match(readFileSync(log, "utf8"), /exec: \\"\/no-interpreter.sh\\": no such file or directory/);
  } finally {
    rmSync(script);
  }
});

oci(
  "exec refuses what it would have to ignore: labels that nobody enforces, a socket without a terminal",
  async (runtime) => {
    const id = await runtime.detached();
    const isActive = (path: string) => existsSync(path) && readFileSync(path, "utf8").startsWith("Y");
    const cases: [flags: string[], message: RegExp][] = [
      [["--console-socket", "/no/socket"], /cannot use console socket if runc will not detach or allocate tty/],
      [["--env", "FOO"], /invalid environment variable: "FOO"/],
      [["--env", "=bar"], /invalid environment variable: "=bar"/],
    ];
    if (!isActive("/sys/module/apparmor/parameters/enabled"))
      cases.push([["--apparmor", "mine"], /AppArmor is not active/]);
    if (!existsSync("/sys/fs/selinux/enforce")) cases.push([["--process-label", "a:b:c:s0"], /SELinux is not active/]);
    for (const [flags, message] of cases) {
      const { status, stdout, stderr } = await runtime.call(["exec", ...flags, id, "echo", "ran"]);
      assert.deepEqual([status, stdout], [255, ""], flags.join(" "));
      assert.match(stderr, message);
    }
    await runtime.must(["exec", "--apparmor", "unconfined", "--env", "EMPTY=", id, "true"]);
    await runtime.remove(id);
  },
);

oci(
  "a config with a label of mounts that nobody enforces, or with a variable that is none, is refused",
  async (runtime) => {
    const cases: [change: Json, message: RegExp][] = [
      [
        { process: { args: ["true"], env: ["PATH=/bin", "FOO"] } },
        /process\.env\[1\]: invalid environment variable: "FOO"/,
      ],
      [{ process: { args: [""] } }, /exec: "": executable file not found in \$PATH/],
    ];
    if (!existsSync("/sys/fs/selinux/enforce"))
      cases.push([{ process: { args: ["true"] }, linux: { mountLabel: "a:b:c:s0" } }, /SELinux is not active/]);
    for (const [change, message] of cases) {
      const { status, stderr } = await runtime.call(["run", "--bundle", runtime.bundle(change), runtime.newId()]);
      assert.equal(status, 1);
      assert.match(stderr, message);
    }
  },
);
