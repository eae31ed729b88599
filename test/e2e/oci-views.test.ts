/**
 * What a container sees of cgroups: mounts of the types `cgroup` and `cgroup2`, with and without a namespace of its own.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { type Json, NAMESPACES, oci } from "./bundles.ts";

const ROOT = "/sys/fs/cgroup";
const isV2 = existsSync(`${ROOT}/cgroup.controllers`);

/** Hierarchies of version 1 on this host: names of controllers, or as in `name=systemd`. */
const hierarchies = readFileSync("/proc/self/cgroup", "utf8")
  .split("\n")
  .map((line) => line.split(":")[1] ?? "")
  .filter((names) => names !== "");

const cgroupMount = (type: string, ...options: string[]): Json => ({
  destination: ROOT,
  type,
  source: "cgroup",
  options: ["nosuid", "noexec", "nodev", ...options],
});
const inNamespace = { namespaces: [...NAMESPACES, { type: "cgroup" }] };
const SYSFS: Json = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] };

oci("a container is in a cgroup of its own in every hierarchy, named and unified ones too", async (runtime) => {
  const id = await runtime.detached();
  const { pid } = await runtime.state(id);
  for (const line of readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n")) {
    assert.notEqual(line.split(":").slice(2).join(":"), "/", line);
  }
  await runtime.remove(id);
});

oci("version 1: each hierarchy is shown, read-only, with the container's processes alone", async (runtime) => {
  if (isV2) return;
  for (const linux of [{}, inNamespace]) {
    const script = `ls ${ROOT}; for d in ${ROOT}/*; do grep -qx 1 $d/cgroup.procs || echo "not in $d"; done; mkdir ${ROOT}/pids/x; mkdir ${ROOT}/x`;
    const moreMounts = [SYSFS, cgroupMount("cgroup", "ro")];
    const { stdout, stderr } = await runtime.run({ script, moreMounts, linux });
    const shown = stdout.trim().split("\n");
    for (const names of hierarchies) {
      for (const name of names.replace("name=", "").split(",")) assert.ok(shown.includes(name), `${name}: ${stdout}`);
    }
    assert.doesNotMatch(stdout, /not in/);
    assert.equal(stderr.match(/Read-only file system/g)?.length, 2, stderr);
  }
});

oci("version 1: a writable mount lets a container make cgroups below its own", async (runtime) => {
  if (isV2) return;
  const script = `mkdir ${ROOT}/pids/x && rmdir ${ROOT}/pids/x && cat /proc/self/cgroup`;
  const moreMounts = [SYSFS, cgroupMount("cgroup", "rw")];
  const { status, stdout, stderr } = await runtime.run({ script, moreMounts, linux: inNamespace });
  assert.equal(status, 0, stderr);
  for (const line of stdout.trim().split("\n")) assert.match(line, /:\/$/);
});

oci("cgroup2 is the unified hierarchy, from the container's cgroup on", async (runtime) => {
  if (!readFileSync("/proc/self/mountinfo", "utf8").includes(" - cgroup2 ")) return;
  for (const linux of [{}, inNamespace]) {
    const script = `cat ${ROOT}/cgroup.type && grep -qx 1 ${ROOT}/cgroup.procs`;
    const { status, stdout, stderr } = await runtime.run({
      script,
      moreMounts: [SYSFS, cgroupMount("cgroup2", "ro")],
      linux,
    });
    // The topmost cgroup has no such file: this is not it.
    assert.deepEqual([status, stdout], [0, "domain\n"], stderr);
  }
});

oci("a limit of huge pages holds wherever the host has the controller", async (runtime) => {
  const unified = isV2 ? ROOT : `${ROOT}/unified`;
  const controllers = existsSync(`${unified}/cgroup.controllers`)
    ? readFileSync(`${unified}/cgroup.controllers`, "utf8")
    : "";
  if (hierarchies.includes("hugetlb") || !controllers.split(/\s/).includes("hugetlb")) return;
  const resources = { hugepageLimits: [{ pageSize: "2MB", limit: 4_194_304 }] };
  const id = await runtime.detached({ linux: { resources, namespaces: NAMESPACES } });
  const { pid } = await runtime.state(id);
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "";
  assert.equal(readFileSync(`${unified}${path}/hugetlb.2MB.max`, "utf8").trim(), "4194304");
  await runtime.remove(id);
});
