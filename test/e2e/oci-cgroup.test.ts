/**
 * `linux.resources` and `linux.cgroupsPath` of config.json and `update`, by what the kernel's files say.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Json, oci } from "./bundles.ts";

const ROOT = "/sys/fs/cgroup";
const MIB = 1024 * 1024;
const isV2 = existsSync(join(ROOT, "cgroup.controllers"));

/** The directory of a process's cgroup for a controller. */
function directoryOf(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
  const wanted = isV2 ? "" : controller;
  const line = lines.find((text) => (text.split(":")[1] ?? "").split(",").includes(wanted)) ?? "";
  return join(ROOT, isV2 ? "" : controller, line.split(":").slice(2).join(":"));
}

/** What a file of the cgroup says, by its name in version 1 (with the controller in front) and in version 2. */
function fileOf(pid: number, v1: string, v2: string): string {
  const [controller = ""] = v1.split(".");
  const name = controller === "cpuset" || !isV2 ? v1 : v2;
  return readFileSync(join(directoryOf(pid, controller), name), "utf8").trim();
}

const cpuShares = (shares: number) => (isV2 ? /^[1-9]\d*$/ : new RegExp(`^${shares}$`));

oci("limits of config.json are in the container's cgroup, and update changes each of them", async (runtime) => {
  const id = await runtime.detached({
    linux: {
      resources: {
        memory: { limit: 64 * MIB, reservation: 32 * MIB },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0" },
        pids: { limit: 50 },
      },
    },
  });
  const { pid } = await runtime.state(id);
  const check = (limits: {
    memory: number;
    reservation: number;
    shares: number;
    quota: number;
    period: number;
    pids: string;
  }) => {
    assert.equal(fileOf(pid, "memory.limit_in_bytes", "memory.max"), String(limits.memory));
    assert.equal(fileOf(pid, "memory.soft_limit_in_bytes", "memory.low"), String(limits.reservation));
    assert.match(fileOf(pid, "cpu.shares", "cpu.weight"), cpuShares(limits.shares));
    const quota = fileOf(pid, "cpu.cfs_quota_us", "cpu.max");
    assert.equal(quota, isV2 ? `${limits.quota} ${limits.period}` : String(limits.quota));
    if (!isV2) assert.equal(fileOf(pid, "cpu.cfs_period_us", ""), String(limits.period));
    assert.equal(fileOf(pid, "pids.max", "pids.max"), limits.pids);
  };
  check({ memory: 64 * MIB, reservation: 32 * MIB, shares: 512, quota: 50_000, period: 100_000, pids: "50" });
  assert.equal(fileOf(pid, "cpuset.cpus", "cpuset.cpus"), "0");
  assert.equal(fileOf(pid, "cpuset.mems", "cpuset.mems"), "0");

  const flags = {
    memory: String(80 * MIB),
    "memory-reservation": String(40 * MIB),
    "cpu-share": "256",
    "cpu-quota": "20000",
    "cpu-period": "50000",
    "pids-limit": "60",
    "cpuset-cpus": "0",
    "cpuset-mems": "0",
  };
  // One at a time, as somebody would by hand: each leaves the others as they are.
  for (const [flag, value] of Object.entries(flags)) await runtime.must(["update", `--${flag}`, value, id]);
  check({ memory: 80 * MIB, reservation: 40 * MIB, shares: 256, quota: 20_000, period: 50_000, pids: "60" });

  const resources = {
    memory: { limit: 70 * MIB },
    pids: { limit: -1 },
    cpu: { shares: 128, quota: 30_000, period: 100_000 },
  };
  await runtime.must(["update", "--resources", "-", id], { stdin: JSON.stringify(resources) });
  check({ memory: 70 * MIB, reservation: 40 * MIB, shares: 128, quota: 30_000, period: 100_000, pids: "max" });
  const file = join(mkdtempSync(join(runtime.directory, "update-")), "resources.json");
  writeFileSync(file, JSON.stringify({ pids: { limit: 70 } }));
  await runtime.must(["update", "-r", file, id]);
  assert.equal(fileOf(pid, "pids.max", "pids.max"), "70");

  for (const [args, text] of [
    [["--memory", "lots"], /memory.*lots|lots.*memory/],
    [["--cpuset-cpus", "9999"], /cpuset/],
    [["--l3-cache-schema", "L3:0=f"], /Intel RDT/],
    [["--resources", "/no/file"], /\/no\/file/],
  ] as const) {
    const { status, stderr } = await runtime.call(["update", ...args, id]);
    assert.equal(status, 1, args.join(" "));
    assert.match(stderr, text);
  }
  await runtime.remove(id);
});

oci("0 processes are one, as a limit of a new container and as an update", async (runtime) => {
  const id = await runtime.detached({ linux: { resources: { pids: { limit: 0 } } } });
  const { pid } = await runtime.state(id);
  const limit = () => fileOf(pid, "pids.max", "pids.max");
  assert.equal(limit(), "1");
  await runtime.must(["update", "--pids-limit", "7", id]);
  assert.equal(limit(), "7");
  await runtime.must(["update", "--pids-limit", "0", id]);
  assert.equal(limit(), "1");
  await runtime.remove(id);
});

oci("a limit of processes holds, and memory that runs out ends the program", async (runtime) => {
  const pids = await runtime.run({
    script: "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo all",
    linux: { resources: { pids: { limit: 5 } } },
  });
  assert.match(pids.stderr, /can't fork: Resource temporarily unavailable/);
  assert.doesNotMatch(pids.stdout, /all/);
  const { status } = await runtime.run({
    process: { args: ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"] },
    linux: { resources: { memory: { limit: 20 * MIB, swap: 20 * MIB } } },
  });
  assert.equal(status, 137);
});

oci("rules for devices let through what they allow, and nothing else", async (runtime) => {
  const capabilities = ["CAP_MKNOD"];
  const { stdout, stderr } = await runtime.run({
    script: `mknod /dev/mem1 c 1 1; mknod /dev/fuse1 c 10 229; cat /dev/mem1 2>&1
      (: < /dev/fuse1) 2>&1 && echo opened; head -c 4 /dev/zero | wc -c; : > /dev/null && echo null`,
    process: { capabilities: { bounding: capabilities, permitted: capabilities, effective: capabilities } },
    linux: {
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 10, minor: 229, access: "rwm" },
        ],
      },
    },
  });
  assert.match(stdout, /mem1.*Operation not permitted/, stderr);
  // A kernel may be without it.
  assert.match(stdout, /^opened$|fuse1.*No such device/m);
  assert.match(stdout, /^4\nnull\n$/m);
});

oci(
  "cgroupsPath may be relative or left out, the container sees its own cgroup, and exec goes nowhere above it",
  async (runtime) => {
    const cgroup = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid"] };
    for (const change of [
      { cgroupsPath: `mycontainer-oci-relative-${process.pid}` },
      { cgroupsPath: undefined },
    ] as Json[]) {
      const id = await runtime.detached({ moreMounts: [cgroup], linux: change });
      const { pid } = await runtime.state(id);
      const pids = directoryOf(pid, "pids");
      assert.ok(pids.includes(String(change["cgroupsPath"] ?? id)), pids);
      assert.match(await runtime.must(["exec", id, "ls", "/sys/fs/cgroup"]), isV2 ? /cgroup.procs/ : /memory/);
      const refused = await runtime.call(["exec", id, "sh", "-c", "mkdir /sys/fs/cgroup/x /sys/fs/cgroup/pids/x"]);
      assert.notEqual(refused.status, 0);
      const outside = await runtime.call(["exec", "--cgroup", "../..", id, "true"]);
      assert.equal(outside.status, 255);
      assert.match(outside.stderr, /bad sub cgroup path/);
      await runtime.remove(id);
      assert.ok(!existsSync(pids));
    }
  },
);

oci("exec goes into the cgroup that --cgroup names, of all hierarchies or of some controllers", async (runtime) => {
  const id = await runtime.detached();
  const { pid } = await runtime.state(id);
  const [memory, pids] = [directoryOf(pid, "memory"), directoryOf(pid, "pids")];
  for (const directory of new Set([memory, pids])) mkdirSync(join(directory, "below"));
  const cgroupsOf = (...flags: string[]) => runtime.call(["exec", ...flags, id, "cat", "/proc/self/cgroup"]);
  if (isV2) {
    assert.match((await cgroupsOf("--cgroup", "below")).stdout, /^0::.*\/below$/m);
    assert.match((await cgroupsOf("--cgroup", "memory:below")).stderr, /name the path alone/);
  } else {
    const { stdout, stderr } = await cgroupsOf("--cgroup", "memory,pids:below");
    assert.match(stdout, /:memory:.*\/below$/m, stderr);
    assert.match(stdout, /:pids:.*\/below$/m);
    assert.match(stdout, /:cpu(,cpuacct)?:.*\/[0-9]+$/m);
    assert.match((await cgroupsOf("--cgroup", "nothing:/")).stderr, /unknown controller nothing/);
  }
  for (const path of isV2 ? ["missing"] : ["missing", "memory:missing"]) {
    const { status, stderr } = await cgroupsOf("--cgroup", path);
    assert.equal(status, 255);
    assert.match(stderr, /error adding pid \d+ to cgroups: .*\/missing\/cgroup\.procs: no such file or directory/);
  }
  await runtime.remove(id);
  assert.ok(!existsSync(memory));
});

oci("resources that are none are errors which name them", async (runtime) => {
  for (const [resources, text] of [
    [{ cpu: { cpus: "9999" } }, /cpuset/],
    [{ cpu: { period: 1 } }, /cpu.*(period|max)/],
    [{ memory: { limit: "much" } }, /memory\.limit/],
    [{ hugepageLimits: [{ pageSize: "3KB", limit: 1 }] }, /3KB|hugetlb/],
  ] as const) {
    const { status, stderr } = await runtime.run({ script: "true", linux: { resources } });
    assert.equal(status, 1, JSON.stringify(resources));
    assert.match(stderr, text);
  }
});
