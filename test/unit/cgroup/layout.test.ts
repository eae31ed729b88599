import assert from "node:assert/strict";
import { test } from "node:test";
import { directoryOf, mountpointsOf, parseMountinfo } from "../../../src/cgroup/layout.ts";

const line = (mountpoint: string, type: string, options: string, tags = "") =>
  `31 23 0:28 / ${mountpoint} rw,relatime ${tags}- ${type} ${type} ${options}`;

test("a lone unified hierarchy is version 2, wherever it is mounted", () => {
  assert.deepEqual(parseMountinfo(line("/cg", "cgroup2", "rw,nsdelegate", "shared:4 ")), { kind: "v2", root: "/cg" });
});

test("co-mounted controllers share their mount point", () => {
  const layout = parseMountinfo(line("/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct", "shared:9 master:1 "));
  assert.ok(layout.kind === "v1");
  assert.deepEqual(layout.controllers, [
    { name: "cpu", mountpoint: "/sys/fs/cgroup/cpu,cpuacct" },
    { name: "cpuacct", mountpoint: "/sys/fs/cgroup/cpu,cpuacct" },
  ]);
  assert.deepEqual(mountpointsOf(layout), ["/sys/fs/cgroup/cpu,cpuacct"]);
});

test("a named hierarchy and other options are no controllers", () => {
  const systemd = line("/sys/fs/cgroup/systemd", "cgroup", "rw,xattr,release_agent=/x,name=systemd");
  assert.deepEqual(parseMountinfo(systemd), { kind: "v1", controllers: [] });
});

test("controllers of version 1 beside a unified hierarchy make a hybrid layout", () => {
  const text = [
    line("/sys/fs/cgroup", "tmpfs", "rw,mode=755"),
    line("/sys/fs/cgroup/memory", "cgroup", "rw,memory"),
    line("/sys/fs/cgroup/unified", "cgroup2", "rw"),
    "",
  ].join("\n");
  const layout = parseMountinfo(text);
  assert.deepEqual(layout, {
    kind: "hybrid",
    controllers: [{ name: "memory", mountpoint: "/sys/fs/cgroup/memory" }],
    unified: "/sys/fs/cgroup/unified",
  });
  assert.ok(layout.kind === "hybrid");
  assert.equal(directoryOf(layout, "memory", "/a"), "/sys/fs/cgroup/memory/a");
  assert.equal(directoryOf(layout, "pids", "/a"), undefined);
});

test("of several mounts of a controller the first counts", () => {
  const layout = parseMountinfo(`${line("/one", "cgroup", "rw,pids")}\n${line("/two", "cgroup", "rw,pids")}`);
  assert.deepEqual(layout, { kind: "v1", controllers: [{ name: "pids", mountpoint: "/one" }] });
});

test("escaped characters of a mount point are understood", () => {
  assert.deepEqual(parseMountinfo(line("/a\\040b\\134", "cgroup2", "rw")), { kind: "v2", root: "/a b\\" });
});
