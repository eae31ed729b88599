import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeFields, encodeFields, type Field, numberIn, textIn } from "../../../src/container/protobuf.ts";
import type { RootStep } from "../../../src/isolation/root-steps.ts";
import {
  CRIU_FLAGS,
  commonOptions,
  configFile,
  criuPaths,
  dumpedMounts,
  dumpedNamespaces,
  inheritedStreams,
  OPTION,
  pageServer,
  restoredMounts,
  restoredNamespaces,
  withoutDots,
} from "../../../src/oci/criu-options.ts";
import { parseFlags } from "../../../src/term/flags.ts";

const flagsOf = (...argv: string[]) => parseFlags("checkpoint", CRIU_FLAGS, argv).flags;
const numberOf = (fields: readonly Field[], number: number) => numberIn(decodeFields(encodeFields(fields)), number);

test("flags become criu's options; what is not given is left to criu", () => {
  const options = commonOptions(flagsOf("--tcp-established", "--file-locks", "--empty-ns", "network"));
  assert.equal(numberOf(options, OPTION.tcpEstablished), 1);
  assert.equal(numberOf(options, OPTION.fileLocks), 1);
  assert.equal(numberOf(options, OPTION.emptyNamespaces), 0x40000000);
  assert.equal(numberOf(options, OPTION.shellJob), undefined);
  assert.equal(numberOf(options, OPTION.cgroupMode), 3);
  assert.equal(numberOf(commonOptions(flagsOf("--manage-cgroups-mode", "strict")), OPTION.cgroupMode), 5);
});

test("modes and namespaces that there are not are refused", () => {
  assert.throws(() => commonOptions(flagsOf("--manage-cgroups-mode", "hard")), /Invalid manage-cgroups-mode/);
  assert.throws(() => commonOptions(flagsOf("--empty-ns", "pid")), /namespace "pid" is not supported/);
});

test("criu's log lies with the images unless another place is named", () => {
  assert.deepEqual(criuPaths(flagsOf("--image-path", "/images")), { images: "/images", work: "/images" });
  assert.deepEqual(criuPaths(flagsOf("--image-path", "/images", "--work-path", "/work")), {
    images: "/images",
    work: "/work",
  });
});

const steps = [
  { do: "bind", source: "/srv", target: "/var/run/data" },
  { do: "mount", type: "proc", target: "/proc" },
] as unknown as RootStep[];

test("what is bound is the host's: a dump is told where it really is, and its name; a restore the name and its source", () => {
  const dumped = dumpedMounts(steps, ({ target }) => target.replace("/var/run", "/run"));
  assert.deepEqual(dumped, [[OPTION.external, "mnt[/run/data]:/var/run/data"]]);
  assert.deepEqual(restoredMounts(steps), [[OPTION.external, "mnt[/var/run/data]:/srv"]]);
  for (const place of ["/", "/b/data]:/name"])
    assert.throws(() => dumpedMounts(steps, () => place), /invalid external mount destination/, place);
});

test("criu's own options are in the file that an annotation names, or in runc's; an empty name is none", () => {
  assert.deepEqual(configFile(undefined), [OPTION.configFile, "/etc/criu/runc.conf"]);
  assert.deepEqual(configFile({ "org.criu.config": "/etc/own.conf" }), [OPTION.configFile, "/etc/own.conf"]);
  assert.deepEqual(configFile({ "org.criu.config": "" }), [OPTION.configFile, undefined]);
});

test("network and PID namespaces of others are left alone: by inode in a dump, by descriptor in a restore", () => {
  const joined = [
    { type: "network", path: "/run/netns/one" },
    { type: "uts", path: "/proc/1/ns/uts" },
    { type: "pid", path: "/proc/1/ns/pid" },
  ] as const;
  const inodes = { network: 4026532000, pid: 4026532001 };
  assert.deepEqual(
    dumpedNamespaces(joined, (type) => (type === "network" || type === "pid" ? inodes[type] : 1)),
    [
      [OPTION.external, "net[4026532000]:extRootNetNS"],
      [OPTION.external, "pid[4026532001]:extRootPidNS"],
    ],
  );
  const { fields, inherited } = restoredNamespaces(joined, 4);
  assert.deepEqual(inherited, ["/run/netns/one", "/proc/1/ns/pid"]);
  const read = fields.map(([number, value]) => {
    const message = decodeFields(value as Uint8Array);
    return [number, textIn(message, 1), numberIn(message, 2) ?? textIn(message, 2)];
  });
  assert.deepEqual(read, [
    [OPTION.inheritFd, "extRootNetNS", 4],
    [OPTION.joinNamespace, "uts", "/proc/1/ns/uts"],
    [OPTION.inheritFd, "extRootPidNS", 5],
  ]);
});

test("a cgroup namespace of another is refused: criu cannot enter it", () => {
  assert.throws(
    () => restoredNamespaces([{ type: "cgroup", path: "/proc/1/ns/cgroup" }], 4),
    /cannot restore into a cgroup/,
  );
});

test("a path relative to images that are not there yet leads to its place", () => {
  assert.equal(withoutDots("/tmp/two/../one"), "/tmp/one");
  assert.equal(withoutDots("/../a/./b//c/"), "/a/b/c");
});

test("a page server is told by address and port", () => {
  const read = (text: string) => {
    const message = decodeFields(pageServer(text)[1] as Uint8Array);
    return [textIn(message, 1), numberIn(message, 2)];
  };
  assert.deepEqual(read("10.0.0.1:9000"), ["10.0.0.1", 9000]);
  assert.deepEqual(read("[::1]:27"), ["::1", 27]);
  for (const wrong of ["", "10.0.0.1", ":9000", "host:", "host:0", "host:65536", "host:+1"]) {
    assert.throws(() => pageServer(wrong), /ADDRESS:PORT/, wrong);
  }
});

test("streams that were pipes are given anew by their names", () => {
  const fields = inheritedStreams(["/dev/null", "pipe:[12]", "socket:[3]"]);
  assert.equal(fields.length, 1);
  const [number, value] = fields[0] ?? [0, undefined];
  assert.equal(number, OPTION.inheritFd);
  const inherited = decodeFields(value as Uint8Array);
  assert.deepEqual([textIn(inherited, 1), numberIn(inherited, 2)], ["pipe:[12]", 1]);
});
