/**
 * `process` of config.json, as the program in the container and the kernel's tables have it.
 */
import assert from "node:assert/strict";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NAMESPACES, oci, statusLine, valuesOf } from "./bundles.ts";

oci("the program has the environment, directory, ids, groups, umask and arguments of config.json", async (runtime) => {
  const { status, stdout, stderr } = await runtime.run({
    process: {
      args: [
        "sh",
        "-c",
        'echo "word=$WORD"; echo "cwd=$PWD"; echo "uid=$(id -u)"; echo "groups=$(id -G)"; echo "umask=$(umask)"; echo "args=$0 $1"; exit 7',
        "zero",
        "with blank",
      ],
      env: ["PATH=/bin", "WORD=a b=c"],
      cwd: "/usr/bin",
      user: { uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 0o027 },
    },
  });
  assert.equal(status, 7, stderr);
  assert.deepEqual(valuesOf(stdout), {
    word: "a b=c",
    cwd: "/usr/bin",
    uid: "1000",
    groups: "1001 5 6",
    umask: "0027",
    args: "zero with blank",
  });
});

oci("a working directory that is not there is made", async (runtime) => {
  const { status, stdout, stderr } = await runtime.run({ script: "pwd", process: { cwd: "/made/for/it" } });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "/made/for/it\n");
});

oci(
  "limits, capabilities, no_new_privs, the OOM score and the scheduler are what the kernel says of it",
  async (runtime) => {
    const id = await runtime.detached({
      process: {
        rlimits: [
          { type: "RLIMIT_NOFILE", soft: 512, hard: 600 },
          { type: "RLIMIT_CORE", soft: 0, hard: 0 },
        ],
        capabilities: {
          bounding: ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"],
          permitted: ["CAP_KILL", "CAP_CHOWN"],
          inheritable: ["CAP_KILL"],
          effective: ["CAP_KILL"],
          ambient: ["CAP_KILL"],
        },
        user: { uid: 1000, gid: 1000 },
        noNewPrivileges: true,
        oomScoreAdj: 321,
        scheduler: { policy: "SCHED_BATCH", nice: 5 },
        ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 },
      },
      linux: { personality: { domain: "LINUX32" } },
    });
    const { pid } = await runtime.state(id);
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    assert.match(limits, /^Max open files +512 +600 /m);
    assert.match(limits, /^Max core file size +0 +0 /m);
    const [chown, kill, netRaw] = [1n << 0n, 1n << 5n, 1n << 13n];
    const setOf = (name: string) => BigInt(`0x${statusLine(pid, name)}`);
    assert.equal(setOf("CapBnd"), chown | kill | netRaw);
    assert.equal(setOf("CapInh"), kill);
    assert.equal(setOf("CapAmb"), kill);
    // By execve(2) of a user that is not root, only the ambient ones are left.
    assert.equal(setOf("CapPrm"), kill);
    assert.equal(setOf("CapEff"), kill);
    assert.equal(statusLine(pid, "NoNewPrivs"), "1");
    assert.equal(statusLine(pid, "Seccomp"), "0");
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim(), "321");
    assert.equal(readFileSync(`/proc/${pid}/personality`, "utf8").trim(), "00000008");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    assert.equal(stat[16], "5", "nice");
    assert.equal(stat[38], "3", "SCHED_BATCH");
    assert.equal(stat[3], String(pid), "leader of a session");
    await runtime.remove(id);
  },
);

oci("a low OOM score, limits and ids hold in a user namespace, too", async (runtime) => {
  const id = await runtime.detached({
    process: { oomScoreAdj: 100, rlimits: [{ type: "RLIMIT_NPROC", soft: 99, hard: 100 }], user: { uid: 5, gid: 6 } },
    linux: {
      namespaces: [...NAMESPACES, { type: "user" }],
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
      gidMappings: [{ containerID: 0, hostID: 200_000, size: 1000 }],
    },
  });
  const { pid } = await runtime.state(id);
  assert.equal(statusLine(pid, "Uid")?.split("\t")[0], "100005");
  assert.equal(statusLine(pid, "Gid")?.split("\t")[0], "200006");
  assert.match(readFileSync(`/proc/${pid}/uid_map`, "utf8"), /^ +0 +100000 +1000$/m);
  assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8").trim(), "100");
  assert.match(readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max processes +99 +100 /m);
  await runtime.remove(id);
});

oci("descriptors that are to be preserved are there, and others are not", async (runtime) => {
  const bundle = runtime.bundle({ script: "ls /proc/self/fd | wc -l; cat <&3; cat <&4" });
  const shell = `exec 3<${join(bundle, "config.json")} 4</proc/version 5</proc/version; exec "$@"`;
  const { status, stdout, stderr } = await runtime.throughShell(shell, [
    "run",
    "--preserve-fds",
    "2",
    "--bundle",
    bundle,
    runtime.newId(),
  ]);
  assert.equal(status, 0, stderr);
  const [count] = stdout.split("\n");
  assert.equal(count?.trim(), "6", "0 to 4, and the directory that is read");
  assert.ok(stdout.includes('"ociVersion"') && stdout.includes("Linux version"));
});

oci("descriptors handed over as systemd does it are passed on, and the program is told of them", async (runtime) => {
  const bundle = runtime.bundle({ script: 'echo "fds=$LISTEN_FDS"; echo "pid=$LISTEN_PID"; cat <&3 | head -c 5' });
  const shell = `exec 3</proc/version; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"`;
  const { status, stdout, stderr } = await runtime.throughShell(shell, ["run", "--bundle", bundle, runtime.newId()]);
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "fds=1\npid=1\nLinux");
});

oci("of a variable that is there twice the last counts, and an empty HOME is looked up", async (runtime) => {
  const env = ["ONE=1", "PATH=/bin", "ONE=two", "TWO=a=b", "HOME=/other", "HOME="];
  const { stdout, stderr } = await runtime.run({ process: { args: ["env"], env } });
  assert.deepEqual(stdout.trim().split("\n").sort(), ["HOME=/root", "ONE=two", "PATH=/bin", "TWO=a=b"], stderr);
});

oci("an ambient capability that is not inheritable is a warning", async (runtime) => {
  const base = ["CAP_KILL", "CAP_CHOWN"];
  const sets = { bounding: base, effective: base, permitted: base, inheritable: ["CAP_KILL"], ambient: base };
  const { stdout, stderr } = await runtime.run({
    script: "grep CapAmb /proc/self/status",
    process: { capabilities: sets },
  });
  assert.match(stdout, /^CapAmb:\t0000000000000020\n$/);
  assert.match(stderr, /^[^\n]*warning: can't raise ambient capability CAP_CHOWN: [^\n]*\n$/);
});

oci("that the caller keeps to one CPU says nothing about a program, but execCPUAffinity does", async (runtime, t) => {
  const listOf = (text: string) => /^Cpus_allowed_list:\t(.*)$/m.exec(text)?.[1] ?? "";
  const all = listOf(readFileSync("/proc/self/status", "utf8"));
  const [first = ""] = all.split(/[-,]/);
  if (first === all) return t.skip("one CPU");
  const pinned = `exec taskset -c ${first} "$@"`;
  const grep = ["grep", "Cpus_allowed_list", "/proc/self/status"];
  const bundle = runtime.bundle({ process: { args: grep } });
  const ran = await runtime.throughShell(pinned, ["run", "--bundle", bundle, runtime.newId()]);
  assert.equal(listOf(ran.stdout), all, ran.stderr);
  const id = await runtime.detached();
  const added = await runtime.throughShell(pinned, ["exec", id, ...grep]);
  assert.equal(listOf(added.stdout), all, added.stderr);
  const process = join(bundle, "process.json");
  const execCPUAffinity = { initial: all, final: first };
  writeFileSync(
    process,
    JSON.stringify({ args: grep, cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 }, execCPUAffinity }),
  );
  const kept = await runtime.call(["--debug", "exec", "--process", process, id]);
  assert.equal(listOf(kept.stdout), first, kept.stderr);
  assert.match(kept.stderr, /msg="nsexec: affinity: 0x[0-9a-f]+"/);
  await runtime.remove(id);
});

oci("a terminal has the size of config.json, and is the program's", async (runtime) => {
  const bundle = runtime.bundle({
    script: "stty size; test -t 0 && test -t 1 && tty",
    process: { terminal: true, consoleSize: { height: 33, width: 77 } },
  });
  const { status, stdout, stderr } = await runtime.call(["run", "--bundle", bundle, runtime.newId()]);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^33 77\r?\n\/dev\/(pts\/0|console)\r?\n$/);
});

oci("the namespaces of a container are its own, but for those that it has not asked for", async (runtime) => {
  const id = await runtime.detached();
  const { pid } = await runtime.state(id);
  for (const kind of ["pid", "mnt", "ipc", "uts", "net"])
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
  for (const kind of ["user", "cgroup", "time"])
    assert.equal(readlinkSync(`/proc/${pid}/ns/${kind}`), readlinkSync(`/proc/self/ns/${kind}`), kind);
  await runtime.remove(id);
});

oci(
  "a standard stream that the caller has closed is the null device, and no descriptor of the runtime's",
  async (runtime) => {
    for (const closed of ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"]) {
      const id = runtime.newId();
      const bundle = runtime.bundle({ process: { args: ["sleep", "1000"] } });
      const line = `exec 0</dev/null 1>/dev/null 2>/dev/null ${closed}; exec "$@"`;
      const { status } = await runtime.throughShell(line, ["run", "--detach", "--bundle", bundle, id]);
      assert.equal(status, 0, closed);
      const { pid } = await runtime.state(id);
      for (const fd of [0, 1, 2]) assert.equal(readlinkSync(`/proc/${pid}/fd/${fd}`), "/dev/null", closed);
      await runtime.remove(id);
    }
  },
);
