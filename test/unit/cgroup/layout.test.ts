import assert from "node:assert/strict";
import { test } from "node:test";
import {
  directoryOf,
  layoutOf,
  mountpointsOf,
  parseMountinfo,
  unifiedOf,
  v1ControllersOf,
} from "../../../src/cgroup/layout.ts";

const AVAILABLE = ["hugetlb", "memory"];
const layoutIn = (text: string) => layoutOf(parseMountinfo(text), () => AVAILABLE);

const line = (mountpoint: string, type: string, options: string, tags = "") =>
  `31 23 0:28 / ${mountpoint} rw,relatime ${tags}- ${type} ${type} ${options}`;

test("a lone unified hierarchy is version 2, wherever it is mounted", () => {
  assert.deepEqual(layoutIn(line("/cg", "cgroup2", "rw,nsdelegate", "shared:4 ")), {
    kind: "v2",
    root: "/cg",
    available: AVAILABLE,
  });
});

test("co-mounted controllers share their mount point", () => {
  const layout = layoutIn(line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct", "shared:9 master:1 "));
  assert.ok(layout.kind === "v1");
  assert.deepEqual(layout.controllers, [
    { name: "cpu", mountpoint: "/sys/fs/cgroup/cpu,cpuacct" },
    { name: "cpuacct", mountpoint: "/sys/fs/cgroup/cpu,cpuacct" },
  ]);
  assert.deepEqual(mountpointsOf(layout), ["/sys/fs/cgroup/cpu,cpuacct"]);
});

test("a named hierarchy is one of version 1 and no controller; other options are neither", () => {
  const layout = layoutIn(line("/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,release_agent=/x,name=systemd"));
  assert.deepEqual(layout, {
    kind: "v1",
    controllers: [{ name: "name=systemd", mountpoint: "/sys/fs/cgroup/systemd" }],
  });
  assert.ok(layout.kind === "v1");
  assert.deepEqual(v1ControllersOf(layout), []);
  assert.deepEqual(mountpointsOf(layout), ["/sys/fs/cgroup/systemd"]);
});

test("a unified hierarchy beside one that only has a name is version 2", () => {
  const text = `${line("/sys/fs/cgroup/systemd", "cgroup", "rw,name=systemd")}\n${line("/u", "cgroup2", "rw")}`;
  assert.deepEqual(layoutIn(text), { kind: "v2", root: "/u", available: AVAILABLE });
});

test("controllers of version 1 beside a unified hierarchy make a hybrid layout", () => {
  const text = [
    line("/sys/fs/cgroup", "tmpfs", "rw,mode=755"),
    line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
    line("/sys/fs/cgroup/unified", "cgroup2", "rw"),
    "",
  ].join("\n");
  const layout = layoutIn(text);
  assert.deepEqual(layout, {
    kind: "hybrid",
    controllers: [{ name: "memory", mountpoint: "/sys/fs/cgroup/memory" }],
    unified: { root: "/sys/fs/cgroup/unified", available: AVAILABLE },
  });
  assert.ok(layout.kind === "hybrid");
  assert.equal(directoryOf(layout, "memory", "/a"), "/sys/fs/cgroup/memory/a");
  assert.equal(directoryOf(layout, "pids", "/a"), undefined);
  // What both have is used of version 1; what only version 2 has, there.
  assert.equal(directoryOf(layout, "hugetlb", "/a"), "/sys/fs/cgroup/unified/a");
  assert.deepEqual(mountpointsOf(layout), ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"]);
});

test("of several mounts of a controller the first counts", () => {
  const layout = layoutIn(`${line("/one", "cgroup", "rw,pids")}\n${line("/two", "cgroup", "rw,pids")}`);
  assert.deepEqual(layout, { kind: "v1", controllers: [{ name: "pids", mountpoint: "/one" }] });
});

test("escaped characters of a mount point are understood", () => {
  assert.deepEqual(layoutIn(line("/a\\040b\\134", "cgroup2", "rw")), {
    kind: "v2",
    root: "/a b\\",
    available: AVAILABLE,
  });
});

// As systemd 245 mounts them (Ubuntu 20.04), among mounts that only look alike.
const UBUNTU_20_04 = `25 31 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
31 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
34 25 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
35 34 0:30 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
36 34 0:31 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
40 34 0:35 / /sys/fs/cgroup/net_cls,net_prio rw,nosuid,nodev,noexec,relatime shared:16 - cgroup cgroup rw,net_cls,net_prio
43 34 0:38 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:19 - cgroup cgroup rw,cpu,cpuacct
44 34 0:39 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:20 - cgroup cgroup rw,memory
99 31 0:44 / /mnt/a\\040-\\040cgroup rw,relatime shared:40 - tmpfs cgroup\\040pids rw,size=4k
`;

test("a hybrid machine of systemd's is understood", () => {
  const layout = layoutIn(UBUNTU_20_04);
  assert.ok(layout.kind === "hybrid");
  assert.equal(unifiedOf(layout)?.root, "/sys/fs/cgroup/unified");
  assert.deepEqual(
    layout.controllers.map(({ name, mountpoint }) => `${name} ${mountpoint.slice("/sys/fs/cgroup/".length)}`),
    [
      "name=systemd systemd",
      "net_cls net_cls,net_prio",
      "net_prio net_cls,net_prio",
      "cpu cpu,cpuacct",
      "cpuacct cpu,cpuacct",
      "memory memory",
    ],
  );
});

test("a pure version 2 machine, and a container on a version 1 machine, are understood", () => {
  const fedora =
    "28 24 0:25 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,seclabel,nsdelegate,memory_recursiveprot\n";
  assert.deepEqual(layoutIn(fedora), { kind: "v2", root: "/sys/fs/cgroup", available: AVAILABLE });
  const container = "712 711 0:39 /docker/8f0c /sys/fs/cgroup/memory ro,relatime master:20 - cgroup cgroup rw,memory\n";
  assert.deepEqual(layoutIn(container), {
    kind: "v1",
    controllers: [{ name: "memory", mountpoint: "/sys/fs/cgroup/memory" }],
  });
});

test("text that is no mountinfo has no cgroups", () => {
  for (const text of ["", "\n", " - cgroup", " - cgroup2", "- cgroup cgroup rw,memory"])
    assert.doesNotThrow(() => layoutIn(text));
});
