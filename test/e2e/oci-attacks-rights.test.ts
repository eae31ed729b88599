/**
 * Attacks on the OCI face by descriptors, capabilities, devices, cgroups, and by files that its caller names.
 * docs/security.md: R1, R8, R10, R13, R14, R17, E7.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MYCONTAINER_RUNTIME, type Outcome, start } from "./harness.ts";
import { addAttacker, countsOf, makeRoot } from "./hostile.ts";
import {
  makeBundle,
  namespaces,
  oci,
  type Runtime,
  remove,
  runScript,
  startSleeper,
  stateOf,
  statusOf,
  withPeer,
} from "./oci-bundles.ts";

const PROC = { destination: "/proc", type: "proc", source: "proc" };
const DEV = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };
const PTS = { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] };

const checksum = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const EXECS = 30;

for (const capabilities of [[], ["CAP_SYS_PTRACE"], ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]]) {
  oci(`a container with [${capabilities}] that is entered by our executable cannot write to it`, async (runtime, t) => {
    const before = checksum(MYCONTAINER_RUNTIME);
    const root = makeRoot(runtime);
    writeFileSync(join(root, "bin/again"), "#!/proc/self/exe\n", { mode: 0o755 });
    const sets = { bounding: capabilities, effective: capabilities, permitted: capabilities };
    const args = [addAttacker(runtime, root), "exe", "--remount"];
    const attacker = runtime.start([
      "run",
      "--bundle",
      makeBundle(runtime, args, { process: { capabilities: sets } }, root),
      "attacks",
    ]);
    await attacker.sees("stdout", "ready");
    for (let turn = 0; turn < EXECS; turn++) {
      const command = turn % 2 === 0 ? ["/proc/self/exe", "--help"] : ["/bin/again"];
      await runtime.call(["exec", "attacks", ...command]);
    }
    await runtime.must(["kill", "attacks", "TERM"]);
    const { seen = 0, opened, remounted } = countsOf((await attacker.ended).stdout);
    t.diagnostic(`our executable was attacked ${seen} times`);
    assert.ok(seen > 0, "nothing was tried");
    assert.deepEqual({ opened, remounted }, { opened: 0, remounted: 0 });
    assert.equal(checksum(MYCONTAINER_RUNTIME), before);
  });
}

/** As `runtime.call`, by a shell that has directories and files of the host open. */
function callWithOpenFiles(runtime: Runtime, args: string[], more = ""): Promise<Outcome> {
  const line = `exec 3</dev/null 5</etc/passwd 6</ 9<${runtime.directory} 20</proc ${more}; exec "$@"`;
  const command = [MYCONTAINER_RUNTIME, "--root", runtime.root, ...args];
  return start(runtime.directory, ["bash", "-c", line, "bash", ...command], { env: runtime.env }).ended;
}

const NUMBERS = Array.from({ length: 20 }, (_, index) => index);
const WAYS = (number: number) => [
  `/proc/self/fd/${number}`,
  `/dev/fd/${number}`,
  `/proc/self/fd/${number}/../../../..`,
];

oci("a working directory that is a descriptor is refused by run and exec", async (runtime) => {
  await startSleeper(runtime, "entered");
  for (const number of NUMBERS) {
    for (const cwd of WAYS(number)) {
      const bundle = makeBundle(runtime, ["/bin/ls", "../../../.."], { process: { cwd } });
      const ran = await callWithOpenFiles(runtime, ["run", "--bundle", bundle, "escapes"]);
      assert.deepEqual([ran.status, ran.stdout], [1, ""], `${cwd}: ${ran.stderr}`);
      const command = ["exec", "--cwd", cwd, "entered", "/bin/ls", "../../../.."];
      const executed = await callWithOpenFiles(runtime, command);
      assert.deepEqual([executed.status, executed.stdout], [255, ""], `${cwd}: ${executed.stderr}`);
    }
  }
  await remove(runtime, "entered");
});

oci("a standard stream that is a directory of the host leads nowhere", async (runtime) => {
  await startSleeper(runtime, "entered");
  const command = ["exec", "--cwd", "/proc/self/fd/0", "entered", "/bin/ls", "../../.."];
  const { status, stdout, stderr } = await callWithOpenFiles(runtime, command, "0</");
  assert.deepEqual([status, stdout], [255, ""], stderr);
  assert.match(stderr, /outside of the container/);
  await remove(runtime, "entered");
});

const LIST = "for fd in $(seq 0 63); do test -L /proc/$$/fd/$fd && echo $fd $(readlink /proc/$$/fd/$fd); done; true";

oci("--preserve-fds passes what it says and nothing else, and what is not there is refused", async (runtime) => {
  const root = makeRoot(runtime);
  symlinkSync("busybox", join(root, "bin/seq"));
  const numbers = (text: string) =>
    text
      .trim()
      .split("\n")
      .map((line) => Number(line.split(" ")[0]));
  await startSleeper(runtime, "entered", {}, root);
  for (const [flags, most] of [
    [[], 2],
    [["--preserve-fds", "1"], 3],
  ] as const) {
    const bundle = makeBundle(runtime, ["/bin/sh", "-c", LIST], {}, root);
    for (const call of [
      ["run", ...flags, "--bundle", bundle, "listed"],
      ["exec", ...flags, "entered", "/bin/sh", "-c", LIST],
    ]) {
      const { status, stdout, stderr } = await callWithOpenFiles(runtime, call);
      assert.equal(status, 0, stderr);
      assert.ok(Math.max(...numbers(stdout)) <= most, `${call[0]} ${flags}: ${stdout}`);
    }
  }
  for (const command of [
    ["run", "--preserve-fds", "4", "--bundle", makeBundle(runtime, ["/bin/true"], {}, root), "listed"],
    ["exec", "--preserve-fds", "4", "entered", "/bin/true"],
  ]) {
    const { status, stderr } = await callWithOpenFiles(runtime, command);
    assert.notEqual(status, 0);
    assert.match(stderr, /unable to stat preserved-fd 1 \(of 4\): no such descriptor/);
  }
  await remove(runtime, "entered");
});

const NONE = "0000000000000000";

oci("inheritable and ambient capabilities are empty unless asked for, by run and exec", async (runtime) => {
  await startSleeper(runtime, "capable");
  const { pid } = await stateOf(runtime, "capable");
  for (const set of ["CapInh", "CapAmb"]) assert.equal(statusOf(pid, set), NONE);
  const field = (text: string, name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1];
  for (const flags of [
    [],
    ["--cap", "CAP_SYS_ADMIN"],
    ["--cap", "sys_admin", "--cap", "NET_RAW"],
    ["--user", "1000"],
  ]) {
    const { stdout } = await runtime.must(["exec", ...flags, "capable", "/bin/cat", "/proc/self/status"]);
    for (const set of ["CapInh", "CapAmb"]) assert.equal(field(stdout, set), NONE, flags.join(" "));
    if (flags.includes("--user")) for (const set of ["CapPrm", "CapEff"]) assert.equal(field(stdout, set), NONE);
    assert.equal(field(stdout, "NoNewPrivs"), "1");
  }
  await remove(runtime, "capable");
});

oci("a set of capabilities is never more than the bounding set, whatever is asked for", async (runtime) => {
  const capabilities = {
    bounding: ["CAP_CHOWN"],
    effective: ["CAP_SYS_ADMIN", "CAP_CHOWN"],
    permitted: ["CAP_SYS_ADMIN", "CAP_CHOWN"],
    inheritable: ["CAP_SYS_ADMIN"],
    ambient: ["CAP_SYS_ADMIN", "CAP_CHOWN"],
  };
  for (const noNewPrivileges of [true, false]) {
    const process = { capabilities, noNewPrivileges };
    const { stdout, stderr } = await runScript(runtime, "cat /proc/self/status", { process });
    for (const set of ["CapEff", "CapPrm", "CapBnd"]) assert.match(stdout, new RegExp(`${set}:\\t0{15}1`), stderr);
  }
});

const FORBIDDEN = [
  ["b", 8, 0],
  ["c", 1, 1],
  ["c", 1, 2],
  ["c", 10, 232],
  ["c", 10, 229],
  ["c", 5, 1],
] as const;
const OPEN_ALL = `${FORBIDDEN.map(
  ([type, major, minor]) => `
    mknod /own-${major}-${minor} ${type} ${major} ${minor} 2>/dev/null
    (: </own-${major}-${minor}) 2>/err; grep -q "not permitted" /err || echo "${major}:${minor}: $(cat /err)"`,
).join("\n")}\ntrue`;

const LISTS: readonly (readonly [string, object | undefined])[] = [
  ["no resources", undefined],
  ["resources without devices", { pids: { limit: 100 } }],
  ["an empty list", { devices: [] }],
  ["a list of what is denied", { devices: [{ allow: false, type: "c", major: 1, minor: 5, access: "rwm" }] }],
  ["a list of one that is allowed", { devices: [{ allow: true, type: "c", major: 1, minor: 3, access: "rwm" }] }],
  ["all denied", { devices: [{ allow: false, access: "rwm" }] }],
  [
    "all allowed, then denied",
    {
      devices: [
        { allow: true, access: "rwm" },
        { allow: false, access: "rwm" },
      ],
    },
  ],
];

for (const [what, resources] of LISTS) {
  oci(`with ${what}, devices of the host can be made and not opened`, async (runtime) => {
    const linux = resources === undefined ? {} : { resources };
    const { status, stdout, stderr } = await runScript(runtime, OPEN_ALL, { linux });
    assert.deepEqual([status, stdout], [0, ""], stderr);
  });
}

oci("a program that exec adds may open no more devices, nor may those that update leaves", async (runtime) => {
  const resources = { devices: [{ allow: false, access: "rwm" }] };
  await startSleeper(runtime, "guarded", { linux: { resources } });
  for (const before of [
    ["state", "guarded"],
    ["update", "--pids-limit", "50", "guarded"],
    ["pause", "guarded"],
    ["resume", "guarded"],
  ]) {
    await runtime.must(before);
    if (before[0] === "pause") continue;
    const { stdout, stderr } = await runtime.must(["exec", "--cap", "CAP_MKNOD", "guarded", "/bin/sh", "-c", OPEN_ALL]);
    assert.equal(stdout, "", stderr);
  }
  await remove(runtime, "guarded");
});

const CGROUP = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid"] };
const SYS = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] };

oci("the container's cgroup cannot be written to, nor others be seen", async (runtime) => {
  const root = makeRoot(runtime);
  for (const applet of ["find", "mount"])
    if (!existsSync(join(root, "bin", applet))) symlinkSync("busybox", join(root, "bin", applet));
  const script = `
    find /sys/fs/cgroup -type f | while read file; do
      (echo 1 >$file) 2>/dev/null && echo "$file can be written to"
    done
    find /sys/fs/cgroup -name release_agent
    mkdir /sys/fs/cgroup/new /sys/fs/cgroup/memory/new 2>/dev/null && echo made
    mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo remounted
    mount -t cgroup -o memory none /bin 2>/dev/null && echo mounted
    mount -t cgroup2 none /bin 2>/dev/null && echo mounted
    true`;
  for (const without of [[], ["cgroup"]]) {
    const change = { mounts: [PROC, DEV, SYS, CGROUP], linux: { namespaces: namespaces(without) } };
    const { status, stdout, stderr } = await runScript(runtime, script, change, root);
    assert.deepEqual([status, stdout], [0, ""], stderr);
  }
});

oci("no abstract socket of ours is there for who has the host's network", async (runtime) => {
  await runtime.must(["create", "--bundle", makeBundle(runtime, ["/bin/true"]), "waits"]);
  const linux = { namespaces: namespaces(["network"]) };
  const { stdout } = await runScript(runtime, "cat /proc/net/unix", { linux });
  const ours = stdout.split("\n").filter((line) => line.includes("@") && /mycontainer|start/.test(line));
  assert.deepEqual(ours, []);
  await remove(runtime, "waits");
});

const MAPS = [{ containerID: 0, hostID: 200_000, size: 65_536 }];

oci("a terminal of exec in a user namespace belongs to its user, and to nobody of the host", async (runtime) => {
  const root = makeRoot(runtime);
  chmodSync(runtime.directory, 0o755);
  chownSync(root, 200_000, 200_000);
  const linux = { namespaces: namespaces([], [{ type: "user" }]), uidMappings: MAPS, gidMappings: MAPS };
  await startSleeper(runtime, "mapped", { mounts: [PROC, DEV, PTS], linux }, root);
  for (const [user, owner] of [
    ["0", "0"],
    ["7", "7"],
  ] as const) {
    const call = [MYCONTAINER_RUNTIME, "--root", runtime.root, "exec", "--tty", "--user", user, "mapped"];
    const line = `${[...call, "/bin/stat", "-c", "%u", "/dev/pts/0"].join(" ")}`;
    const { stdout } = await start(runtime.directory, ["script", "-qefc", line, "/dev/null"], { env: runtime.env })
      .ended;
    assert.match(stdout, new RegExp(`^\\D*${owner}\\r`));
  }
  const { stdout } = await runtime.must(["exec", "mapped", "/bin/cat", "/proc/self/uid_map"]);
  assert.match(stdout, /^ *0 +200000 +65536\n$/);
  await remove(runtime, "mapped");
});

oci("with Debian's crun and no list of devices, such nodes can be opened", async (runtime) => {
  const { stdout, stderr } = await withPeer("crun", runtime, makeBundle(runtime, ["/bin/sh", "-c", OPEN_ALL]));
  assert.match(stdout, /^10:229: /m, stderr);
});

oci("what was mounted, set and named for these tests is not there afterwards", async () => {
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), /canary|mycontainer-oci/);
  assert.equal(execFileSync("hostname", { encoding: "utf8" }), readFileSync("/proc/sys/kernel/hostname", "utf8"));
});

oci("a program that was added and cannot be told of does not go on", async (runtime) => {
  await startSleeper(runtime, "lives", { mounts: [PROC, DEV, PTS] });
  const list = async () => (await runtime.must(["exec", "lives", "/bin/ps"])).stdout;
  for (const flags of [
    ["--pid-file", "/none/pid"],
    ["--tty", "--console-socket", "/none/socket"],
  ]) {
    const { status } = await runtime.call(["exec", "--detach", ...flags, "lives", "/bin/sleep", "777"]);
    assert.equal(status, 255);
    assert.doesNotMatch(await list(), /sleep 777/);
  }
  await remove(runtime, "lives");
});

oci("a program that may open no more files is started all the same", async (runtime) => {
  const rlimits = [{ type: "RLIMIT_NOFILE", soft: 3, hard: 3 }];
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"], { process: { rlimits } });
  await runtime.must(["create", "--bundle", bundle, "few"]);
  await runtime.must(["start", "few"]);
  assert.equal((await stateOf(runtime, "few")).status, "running");
  await remove(runtime, "few");
});
