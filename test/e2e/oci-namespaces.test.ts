/**
 * `linux.namespaces` of config.json, made and joined, with what belongs to them: names, maps, offsets, parameters, devices of the
 * network.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { NAMESPACES, oci, valuesOf } from "./bundles.ts";

const namespaceOf = (pid: number | "self", kind: string) => readlinkSync(`/proc/${pid}/ns/${kind}`);
const KINDS = {
  pid: "pid",
  mount: "mnt",
  ipc: "ipc",
  uts: "uts",
  network: "net",
  cgroup: "cgroup",
  user: "user",
  time: "time",
};
const maps = (hostID: number) => [{ containerID: 0, hostID, size: 65_536 }];

oci("every type of namespace can be new, with names, maps and clocks of its own", async (runtime) => {
  const id = await runtime.detached({
    linux: {
      namespaces: Object.keys(KINDS).map((type) => ({ type })),
      uidMappings: maps(300_000),
      gidMappings: maps(300_000),
      timeOffsets: { boottime: { secs: 100_000_000, nanosecs: 5 }, monotonic: { secs: 1000 } },
    },
    top: { hostname: "inside", domainname: "example.org" },
  });
  const { pid } = await runtime.state(id);
  for (const kind of Object.values(KINDS)) assert.notEqual(namespaceOf(pid, kind), namespaceOf("self", kind), kind);
  const script =
    "echo host=$(hostname); echo domain=$(cat /proc/sys/kernel/domainname); echo up=$(cut -d. -f1 /proc/uptime); echo cgroup=$(cut -d: -f3 /proc/self/cgroup | sort -u)";
  const seen = valuesOf(await runtime.must(["exec", id, "sh", "-c", script]));
  assert.equal(seen["host"], "inside");
  assert.equal(seen["domain"], "example.org");
  assert.ok(Number(seen["up"]) > 100_000_000);
  assert.equal(
    readFileSync(`/proc/${pid}/timens_offsets`, "utf8").replaceAll(/ +/g, " "),
    "monotonic 1000 0\nboottime 100000000 5\n",
  );
  assert.match(readFileSync(`/proc/${pid}/gid_map`, "utf8"), /^ +0 +300000 +65536$/m);
  await runtime.remove(id);
});

oci("every type of namespace can be another container's", async (runtime) => {
  const all = Object.keys(KINDS).map((type) => ({ type }));
  const first = await runtime.detached({
    linux: { namespaces: all, uidMappings: maps(300_000), gidMappings: maps(300_000) },
    top: { hostname: "first" },
  });
  const { pid } = await runtime.state(first);
  const joined = (type: keyof typeof KINDS) => ({ type, path: `/proc/${pid}/ns/${KINDS[type]}` });
  const types = ["pid", "ipc", "uts", "network", "cgroup", "user", "time"] as const;
  const second = await runtime.detached({ linux: { namespaces: [{ type: "mount" }, ...types.map(joined)] } });
  const { pid: other } = await runtime.state(second);
  for (const type of types) assert.equal(namespaceOf(other, KINDS[type]), namespaceOf(pid, KINDS[type]), type);
  assert.notEqual(namespaceOf(other, "mnt"), namespaceOf(pid, "mnt"));
  assert.equal(await runtime.must(["exec", second, "hostname"]), "first\n");
  assert.match(await runtime.must(["exec", second, "ps"]), /^ +1 .*sleep 1000$/m);
  // A joined PID namespace outlives this container: all of its own processes end nonetheless.
  await runtime.remove(second);
  assert.equal((await runtime.state(first)).status, "running");
  await runtime.remove(first);
});

oci("a container without a namespace shares the host's", async (runtime) => {
  const id = await runtime.detached({
    linux: { namespaces: [{ type: "mount" }] },
    mounts: [{ destination: "/proc", source: "/proc", options: ["rbind"] }],
  });
  const { pid } = await runtime.state(id);
  for (const kind of ["pid", "ipc", "uts", "net"])
    assert.equal(namespaceOf(pid, kind), namespaceOf("self", kind), kind);
  await runtime.remove(id);
  const { status, stderr } = await runtime.run({ linux: { namespaces: [{ type: "mount" }] }, top: { hostname: "x" } });
  assert.equal(status, 1);
  assert.match(stderr, /hostname/);
});

oci("kernel parameters are set in the container's namespaces, and others are refused", async (runtime) => {
  const script = "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max";
  const sysctl = { "net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "77" };
  const { status, stdout, stderr } = await runtime.run({ script, linux: { sysctl } });
  assert.equal(status, 0, stderr);
  assert.equal(stdout, "1\n1\n77\n");
  for (const name of ["kernel.panic", "vm.swappiness"]) {
    const refused = await runtime.run({ script, linux: { sysctl: { [name]: "1" } } });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, new RegExp(`sysctl.*${name.replace(".", "\\.")}.*not in a separate kernel namespace`));
  }
});

oci("a device of the network moves into the container, with its new name", async (runtime) => {
  execFileSync("ip", ["link", "add", "ocitest0", "type", "veth", "peer", "name", "ocitest1"]);
  try {
    const { status, stdout, stderr } = await runtime.run({
      script: "ls /sys/class/net; ip -o link show",
      moreMounts: [{ destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] }],
      linux: { netDevices: { ocitest1: { name: "eth7" } } },
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /eth7/);
    assert.doesNotMatch(stdout, /ocitest0/);
  } finally {
    execFileSync("sh", ["-c", "ip link del ocitest0 2>/dev/null || true"]);
  }
});

oci("namespaces that cannot be are errors", async (runtime) => {
  for (const [namespaces, text] of [
    [[...NAMESPACES, { type: "mount" }], /namespace.*mount|mount.*twice|malformed/i],
    [[{ type: "mount" }, { type: "moon" }], /moon/],
    [[{ type: "mount" }, { type: "network", path: "/no/ns" }], /\/no\/ns/],
    [[{ type: "mount" }, { type: "network", path: "/proc/self/ns/uts" }], /network namespace/],
  ] as const) {
    const { status, stderr } = await runtime.run({ script: "true", linux: { namespaces } });
    assert.equal(status, 1, JSON.stringify(namespaces));
    assert.match(stderr, text);
  }
  const rdt = await runtime.run({ script: "true", linux: { intelRdt: { l3CacheSchema: "L3:0=f" } } });
  assert.equal(rdt.status, 1);
  assert.match(rdt.stderr, /RDT/i);
});
