/** Attacks on the OCI face by files that its caller names, and by the directory of its state: docs/security.md: E7. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MYCONTAINER_RUNTIME, start } from "./harness.ts";
import { makeBundle, oci, remove, startSleeper, stateOf } from "./oci-bundles.ts";

const PROC = { destination: "/proc", type: "proc", source: "proc" };
const DEV = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
const PTS = { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] };

oci("a pid file replaces a link and follows none, and so does what it is made from", async (runtime) => {
  const directory = mkdtempSync(join(runtime.directory, "pids-"));
  const victim = join(directory, "victim");
  writeFileSync(victim, "of the host\n");
  for (const [link, pidFile] of [
    ["pid", "pid"],
    ["other.new", "other"],
    [".third", "third"],
  ] as const) {
    symlinkSync(victim, join(directory, link));
    const path = join(directory, pidFile);
    await runtime.must([
      "run",
      "--detach",
      "--pid-file",
      path,
      "--bundle",
      makeBundle(runtime, ["/bin/sleep", "9"]),
      "noted",
    ]);
    assert.ok(lstatSync(path).isFile());
    assert.equal(readFileSync(path, "utf8"), String((await stateOf(runtime, "noted")).pid));
    assert.equal(readFileSync(victim, "utf8"), "of the host\n");
    await remove(runtime, "noted");
  }
});

oci(
  "a console socket that is no socket, a link to a file, or not there is an error, and leaves nothing",
  async (runtime) => {
    const file = join(runtime.directory, "no-socket");
    writeFileSync(file, "");
    const link = join(runtime.directory, "link-to-no-socket");
    if (!existsSync(link)) symlinkSync(file, link);
    for (const path of [
      file,
      link,
      join(runtime.directory, "none"),
      "/dev/null",
      runtime.directory,
      `/${"x".repeat(300)}`,
    ]) {
      const bundle = makeBundle(runtime, ["/bin/sh"], { mounts: [PROC, DEV, PTS], process: { terminal: true } });
      const { status, stderr } = await runtime.call(["create", "--console-socket", path, "--bundle", bundle, "mute"]);
      assert.equal(status, 1);
      assert.match(stderr, /socket/);
      assert.ok(!existsSync(join(runtime.root, "mute")));
    }
  },
);

oci("a state directory that others may write to, or that belongs to others, is not used", async (runtime) => {
  const bundle = makeBundle(runtime, ["/bin/true"]);
  for (const spoil of [
    (path: string) => chmodSync(path, 0o777),
    (path: string) => chmodSync(path, 0o1777),
    (path: string) => chmodSync(path, 0o720),
    (path: string) => chownSync(path, 1000, 1000),
  ]) {
    const state = mkdtempSync(join(runtime.directory, "state-"));
    mkdirSync(join(state, "planted"));
    // As whoever may write there would plant it: the first process is this test's own.
    const record = { version: 1, id: "planted", bundle: "/", rootfs: "/", created: "", uid: 0, complete: true };
    writeFileSync(join(state, "planted/state.json"), JSON.stringify({ ...record, cgroupPath: "/mycontainer" }));
    writeFileSync(join(state, "planted/config.json"), readFileSync(join(bundle, "config.json")));
    spoil(state);
    for (const command of [
      ["create", "--bundle", bundle, "new"],
      ["run", "--bundle", bundle, "new"],
      ["start", "planted"],
      ["exec", "planted", "/bin/true"],
      ["kill", "planted", "KILL"],
      ["delete", "--force", "planted"],
      ["update", "--pids-limit", "5", "planted"],
      ["pause", "planted"],
    ]) {
      const call = [MYCONTAINER_RUNTIME, "--root", state, ...command];
      const { status, stderr } = await start(runtime.directory, call, { env: runtime.env }).ended;
      assert.notEqual(status, 0, command.join(" "));
      assert.match(stderr, /belongs to another user, or may be written to by others/, command.join(" "));
    }
    assert.ok(existsSync(join(state, "planted/state.json")));
  }
});

oci("the state of containers can be read by nobody else", async (runtime) => {
  await startSleeper(runtime, "private");
  assert.equal(lstatSync(join(runtime.root, "private")).mode & 0o077, 0);
  const state = join(runtime.directory, "new/state");
  const bundle = makeBundle(runtime, ["/bin/true"]);
  const call = [MYCONTAINER_RUNTIME, "--root", state, "run", "--bundle", bundle, "first"];
  assert.equal((await start(runtime.directory, call, { env: runtime.env }).ended).status, 0);
  assert.equal(lstatSync(state).mode & 0o077, 0);
  await remove(runtime, "private");
});
