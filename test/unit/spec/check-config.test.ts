import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/failure.ts";
import { checkConfig } from "../../../src/spec/check-config.ts";
import type { Linux, NamespaceType, Process, Spec } from "../../../src/spec/config.ts";

const process: Process = { cwd: "/", args: ["sh"], user: { uid: 0, gid: 0 } };
const spaces = (...types: NamespaceType[]) => types.map((type) => ({ type }));
const spec = (changes: Partial<Spec> = {}): Spec => ({
  ociVersion: "1.2.0",
  root: { path: "rootfs" },
  process,
  ...changes,
});
const withLinux = (linux: Linux): Spec =>
  spec({ linux: { ...linux, namespaces: linux.namespaces ?? spaces("mount") } });
const withProcess = (changes: Partial<Process>): Spec => spec({ process: { ...process, ...changes } });
const map = [{ containerID: 0, hostID: 1000, size: 1 }];

function messageOf(config: Spec): string {
  try {
    return checkConfig(config).join("\n");
  } catch (error) {
    assert.ok(error instanceof Failure, `${error}`);
    return error.message;
  }
}

/** What is wrong, with what is said of it after the source; and what is right. */
function checkAll(wrong: readonly (readonly [Spec, string])[], right: readonly Spec[]): void {
  for (const [config, message] of wrong) assert.equal(messageOf(config), `config.json: ${message}`);
  for (const config of right) assert.equal(messageOf(config), "");
}

test("the version is one of 1.x", () => {
  checkAll(
    ["", "1", "1.2", "2.0.0", "0.9.0", "v1.0.0", "1.02.0", "1.2.0 ", "1.2.0-"].map(
      (ociVersion) => [spec({ ociVersion }), `ociVersion: expected a version 1.x.y, got "${ociVersion}"`] as const,
    ),
    ["1.0.0", "1.0.2-dev", "1.0.0-rc5", "1.1.0+dev", "1.2.1", "1.10.0-rc.1+a.b"].map((ociVersion) =>
      spec({ ociVersion }),
    ),
  );
});

test("a root and a process are needed", () => {
  assert.equal(messageOf({ ociVersion: "1.2.0", process }), "config.json: root is missing");
  assert.equal(messageOf({ ociVersion: "1.2.0", root: { path: "r" } }), "config.json: process is missing");
});

test("a process has an absolute working directory and arguments", () => {
  checkAll(
    [
      [withProcess({ cwd: "" }), "process.cwd: must not be empty"],
      [withProcess({ cwd: "a/b" }), 'process.cwd: must be an absolute path, got "a/b"'],
      [withProcess({ args: [] }), "process.args: must not be empty"],
      [spec({ process: { cwd: "/", user: { uid: 0, gid: 0 } } }), "process.args: must not be empty"],
      [
        withProcess({ env: ["A=b", "no equals sign"] }),
        'process.env[1]: invalid environment variable: "no equals sign"',
      ],
      [withProcess({ env: [""] }), 'process.env[0]: invalid environment variable: ""'],
      [withProcess({ oomScoreAdj: 1001 }), "process.oomScoreAdj: must be from -1000 to 1000, got 1001"],
      [
        withProcess({ user: { uid: 0, gid: 0, umask: 0o1000 } }),
        "process.user.umask: must be at most 511 (octal 777), got 512",
      ],
      [
        withProcess({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 2, hard: 1 }] }),
        "process.rlimits[0]: the soft limit of RLIMIT_NOFILE is above the hard one",
      ],
    ],
    [
      withProcess({ terminal: false, consoleSize: { height: 0, width: 0 } }),
      withProcess({ oomScoreAdj: -1000, env: ["A=", "B=="] }),
      withProcess({ rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 2n ** 64n - 1n }] }),
    ],
  );
});

test("values of a scheduler go with its policy", () => {
  checkAll(
    [
      [
        withProcess({ scheduler: { policy: "SCHED_OTHER", nice: 20 } }),
        "process.scheduler.nice: must be from -20 to 19, got 20",
      ],
      [
        withProcess({ scheduler: { policy: "SCHED_OTHER", priority: 1 } }),
        "process.scheduler.priority: goes with SCHED_FIFO and SCHED_RR only, not with SCHED_OTHER",
      ],
      [
        withProcess({ scheduler: { policy: "SCHED_FIFO", period: 2n ** 60n } }),
        "process.scheduler: runtime, deadline and period go with SCHED_DEADLINE only, not with SCHED_FIFO",
      ],
      [
        withProcess({ ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } }),
        "process.ioPriority.priority: must be from 0 to 7, got 8",
      ],
      [
        withProcess({ execCPUAffinity: { initial: "0-a" } }),
        'process.execCPUAffinity.initial: expected a list of CPUs as in 0-3,7, got "0-a"',
      ],
    ],
    [
      withProcess({ scheduler: { policy: "SCHED_RR", priority: 1, runtime: 0 } }),
      withProcess({ scheduler: { policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 3 } }),
      withProcess({ execCPUAffinity: { initial: "0-3, 7", final: "" } }),
    ],
  );
});

test("unknown capabilities are warned of once and do no harm", () => {
  const config = withProcess({ capabilities: { bounding: ["CAP_KILL", "CAP_NEW"], effective: ["CAP_NEW"] } });
  assert.deepEqual(checkConfig(config), ['config.json: process.capabilities: unknown capability "CAP_NEW" is ignored']);
});

test("names of the host are set in a namespace only", () => {
  checkAll(
    [
      [spec({ hostname: "a" }), "hostname: needs a uts namespace"],
      [spec({ domainname: "a", linux: { namespaces: spaces("mount") } }), "domainname: needs a uts namespace"],
    ],
    [
      spec({ hostname: "", domainname: "" }),
      spec({ hostname: "a", domainname: "b", linux: { namespaces: spaces("uts") } }),
    ],
  );
});

test("a relative destination of a mount is made absolute, with a warning", () => {
  const config = spec({ mounts: [{ destination: "/a" }, { destination: "b/c" }] });
  assert.deepEqual(checkConfig(config), [
    'config.json: mounts[1].destination: "b/c" is no absolute path; taken as relative to /',
  ]);
  assert.deepEqual(config.mounts, [{ destination: "/a" }, { destination: "/b/c" }]);
  checkAll([[spec({ mounts: [{ destination: "" }] }), "mounts[0].destination: must not be empty"]], []);
});

test("mapped mounts are bind mounts, with both kinds of mappings", () => {
  const mount = { destination: "/a", source: "/b" };
  checkAll(
    [
      [
        spec({ mounts: [{ ...mount, type: "tmpfs", uidMappings: map, gidMappings: map }] }),
        "mounts[0]: only bind mounts can be mapped to other ids",
      ],
      [
        spec({ mounts: [{ ...mount, options: ["bind"], uidMappings: map }] }),
        "mounts[0]: a mapped mount needs uidMappings and gidMappings",
      ],
      [
        spec({ mounts: [{ ...mount, options: ["bind", "idmap"] }] }),
        "mounts[0]: a mapped mount needs uidMappings and gidMappings",
      ],
    ],
    [
      spec({ mounts: [{ ...mount, options: ["rbind", "ridmap"], uidMappings: map, gidMappings: map }] }),
      spec({
        mounts: [{ ...mount, options: ["bind", "idmap"] }],
        linux: { namespaces: spaces("mount", "user"), uidMappings: map, gidMappings: map },
      }),
    ],
  );
});

test("hooks have absolute paths and timeouts above 0", () => {
  checkAll(
    [
      [
        spec({ hooks: { poststop: [{ path: "/a" }, { path: "b" }] } }),
        'hooks.poststop[1].path: must be an absolute path, got "b"',
      ],
      [
        spec({ hooks: { prestart: [{ path: "/a", timeout: 0 }] } }),
        "hooks.prestart[0].timeout: must be above 0, got 0",
      ],
    ],
    [spec({ hooks: { startContainer: [{ path: "/a", timeout: 1 }], poststart: [] } })],
  );
});

test("annotations have keys", () => {
  checkAll(
    [[spec({ annotations: { "": "a" } }), "annotations: a key must not be empty"]],
    [spec({ annotations: { a: "" } })],
  );
});

test("each type of namespace is there once", () => {
  checkAll(
    [[withLinux({ namespaces: spaces("pid", "mount", "pid") }), "linux.namespaces[2]: type 'pid' is named twice"]],
    [],
  );
});

test("mappings and a user namespace go together", () => {
  const joined = [{ type: "user" as const, path: "/proc/1/ns/user" }];
  checkAll(
    [
      [withLinux({ uidMappings: map }), "linux: there are uidMappings or gidMappings, and no user namespace"],
      [
        withLinux({ namespaces: spaces("user") }),
        "linux: a user namespace needs uidMappings and gidMappings, or the path of one to join",
      ],
    ],
    [
      withLinux({ uidMappings: [] }),
      withLinux({ namespaces: joined }),
      withLinux({ namespaces: spaces("user"), uidMappings: map, gidMappings: map }),
    ],
  );
  const both = withLinux({ namespaces: joined, uidMappings: map, gidMappings: map });
  assert.equal(checkConfig(both).length, 1);
});

test("time offsets need a new time namespace", () => {
  const timeOffsets = { monotonic: { secs: 1 } };
  checkAll(
    [
      [withLinux({ timeOffsets }), "linux.timeOffsets: needs a time namespace"],
      [
        withLinux({ timeOffsets, namespaces: [{ type: "time", path: "/proc/1/ns/time" }] }),
        "linux.timeOffsets: the time namespace has a path; only a new one can have offsets",
      ],
      [
        withLinux({ timeOffsets: { boottime: { nanosecs: 1e9 } }, namespaces: spaces("time") }),
        "linux.timeOffsets.boottime.nanosecs: must be below 1000000000, got 1000000000",
      ],
    ],
    [withLinux({ timeOffsets, namespaces: spaces("time") })],
  );
});

test("paths in the container are absolute, and masks need a mount namespace", () => {
  checkAll(
    [
      [withLinux({ maskedPaths: ["/a", "b"] }), 'linux.maskedPaths[1]: must be an absolute path, got "b"'],
      [withLinux({ namespaces: [], readonlyPaths: ["/a"] }), "linux.readonlyPaths: needs a mount namespace"],
      [
        withLinux({ devices: [{ type: "c", path: "dev/a" }] }),
        'linux.devices[0].path: must be an absolute path, got "dev/a"',
      ],
    ],
    [withLinux({ maskedPaths: ["/proc/kcore"], readonlyPaths: ["/proc/sys"] })],
  );
});

test("kernel parameters belong to a namespace of the container", () => {
  const set = (name: string, ...types: NamespaceType[]) =>
    withLinux({ sysctl: { [name]: "1" }, namespaces: spaces(...types) });
  checkAll(
    [
      [set("vm.swappiness"), 'linux.sysctl["vm.swappiness"]: is not in a separate kernel namespace'],
      [set("net.core.a", "ipc"), `linux.sysctl["net.core.a"]: is not allowed in the host's network namespace`],
      [set("net/../a", "network"), 'linux.sysctl["net/../a"]: is no name of a kernel parameter'],
      [
        set("kernel/hostname", "uts"),
        `linux.sysctl["kernel/hostname"]: is not allowed as it conflicts with the field 'hostname'`,
      ],
      [
        withLinux({ sysctl: { "net.a": "1\n2" }, namespaces: spaces("network") }),
        'linux.sysctl["net.a"]: is no value of a kernel parameter',
      ],
    ],
    [set("net.ipv4.ip_forward", "network"), set("kernel.shmmax", "ipc"), set("kernel.domainname", "uts")],
  );
});

test("what becomes the name of a file is no path", () => {
  const huge = (pageSize: string) => withLinux({ resources: { hugepageLimits: [{ pageSize, limit: 1 }] } });
  const unified = (name: string) => withLinux({ resources: { unified: { [name]: "1" } } });
  checkAll(
    [
      [huge("../2MB"), 'linux.resources.hugepageLimits[0].pageSize: expected a size as in 2MB, got "../2MB"'],
      [
        unified("../memory.max"),
        'linux.resources.unified["../memory.max"]: must be the name of a file, without slashes',
      ],
      [withLinux({ intelRdt: { closID: ".." } }), 'linux.intelRdt.closID: expected the name of a directory, got ".."'],
      [
        withLinux({ resources: { devices: [{ allow: true, access: "rx" }] } }),
        'linux.resources.devices[0].access: expected letters of rwm, got "rx"',
      ],
    ],
    [
      huge("2MB"),
      huge("1GB"),
      unified("memory.max"),
      withLinux({ intelRdt: { closID: "group", l3CacheSchema: "L3:0=f" } }),
    ],
  );
});

test("the propagation of the root is one that there is", () => {
  assert.match(
    messageOf(withLinux({ rootfsPropagation: "rslaves" })),
    /^config.json: linux.rootfsPropagation: expected one of private, /,
  );
  checkAll([], [withLinux({ rootfsPropagation: "" }), withLinux({ rootfsPropagation: "rslave" })]);
});

test("a seccomp filter that notifies has a listener, and arguments are 0 to 5", () => {
  const seccomp = (changes: object) => withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", ...changes } });
  const notify = { syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }] };
  checkAll(
    [
      [seccomp(notify), "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs listenerPath"],
      [seccomp({ listenerMetadata: "a" }), "linux.seccomp.listenerMetadata: must not be there without listenerPath"],
      [
        seccomp({
          syscalls: [{ names: ["a"], action: "SCMP_ACT_LOG", args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }],
        }),
        "linux.seccomp.syscalls[0].args[0].index: must be from 0 to 5",
      ],
    ],
    [
      seccomp({ ...notify, listenerPath: "/run/a", listenerMetadata: "a" }),
      seccomp({ syscalls: [{ names: [], action: "SCMP_ACT_TRAP" }] }),
    ],
  );
});

test("network devices need a network namespace; flags of a personality are ignored", () => {
  checkAll(
    [[withLinux({ netDevices: { eth1: {} } }), "linux.netDevices: needs a network namespace"]],
    [withLinux({ netDevices: {} })],
  );
  assert.equal(checkConfig(withLinux({ personality: { domain: "LINUX32", flags: ["A"] } })).length, 1);
});
