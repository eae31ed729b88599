import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CAPABILITY_NAMES, DEFAULT_CAPABILITIES } from "../../../../src/isolation/capabilities.ts";
import type { MachineArch } from "../../../../src/isolation/seccomp/architectures.ts";
import { encodeProgram } from "../../../../src/isolation/seccomp/bpf.ts";
import { compile } from "../../../../src/isolation/seccomp/compile.ts";
import { defaultProfile, RELEVANT_CAPABILITIES } from "../../../../src/isolation/seccomp/default-profile.ts";
import { filterKey, KEY_CAPABILITIES } from "../../../../src/isolation/seccomp/filter-key.ts";
import { asString, prebuiltModule } from "../../../../src/isolation/seccomp/prebuild.ts";
import { syscallTable, type TableName } from "../../../../src/isolation/seccomp/syscall-tables.ts";
import { check, numberOf, run } from "./interpreter.ts";

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [0x00050001, 0x00050026, 0x00050061];
const AUDIT = { x86_64: 0xc000003e, x86: 0x40000003, aarch64: 0xc00000b7, arm: 0x40000028, x32: 0xc000003e };
const CLONE_NEWUSER = 0x10000000n;
const TIOCSTI = 0x5412n;

function verdict(
  capabilities: readonly string[],
  name: string,
  args: readonly bigint[] = [],
  table: TableName = "x86_64",
): number {
  const machine: MachineArch = table === "aarch64" || table === "arm" ? "aarch64" : "x86_64";
  const number = numberOf(syscallTable(table), name);
  assert.ok(number !== undefined, `${table} has no ${name}`);
  const program = compile(defaultProfile(capabilities, machine), machine);
  check(program);
  return run(program, { audit: AUDIT[table], number: number + (table === "x32" ? 0x40000000 : 0), args }).verdict;
}

const standard = (name: string, ...args: bigint[]) => verdict(DEFAULT_CAPABILITIES, name, args);

test("the default profile is the golden one", () => {
  for (const machine of ["x86_64", "aarch64"] as const) {
    const golden = fileURLToPath(new URL(`golden/default-profile.${machine}.json`, import.meta.url));
    const profile = `${JSON.stringify(defaultProfile(DEFAULT_CAPABILITIES, machine), null, 1)}\n`;
    if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(golden, profile);
    assert.equal(profile, readFileSync(golden, "utf8"));
  }
});

test("every name in the profile is a system call somewhere", () => {
  const known = new Set(
    (["x86_64", "x86", "x32", "aarch64", "arm"] as const).flatMap((name) => [...syscallTable(name).indexes.keys()]),
  );
  const named = (defaultProfile([], "x86_64").syscalls ?? []).flatMap(({ names }) => names);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test("a call is in one group only, unless conditions tell apart", () => {
  const plain = (defaultProfile([], "x86_64").syscalls ?? []).flatMap(({ names, args }) =>
    args === undefined ? names : [],
  );
  assert.deepEqual(
    plain.filter((name, index) => plain.indexOf(name) !== index),
    [],
  );
});

test("what programs live on is allowed", () => {
  for (const name of [
    "read",
    "openat",
    "execve",
    "mmap",
    "futex",
    "epoll_pwait",
    "socketpair",
    "statx",
    "clone",
    "fchmodat2",
  ]) {
    assert.equal(standard(name, 1n), ALLOW, name);
  }
});

test("namespaces, mounts and keys are refused, and the new ways around them do not exist", () => {
  for (const name of [
    "mount",
    "umount2",
    "unshare",
    "setns",
    "pivot_root",
    "keyctl",
    "add_key",
    "bpf",
    "perf_event_open",
  ]) {
    assert.equal(standard(name), EPERM, name);
  }
  for (const name of [
    "io_uring_setup",
    "userfaultfd",
    "kexec_load",
    "init_module",
    "reboot",
    "fsopen",
    "open_by_handle_at",
  ]) {
    assert.equal(standard(name), EPERM, name);
  }
  assert.equal(standard("clone3"), ENOSYS);
  assert.equal(standard("clone", CLONE_NEWUSER), EPERM);
  assert.equal(standard("clone", CLONE_NEWUSER | (1n << 40n)), EPERM);
});

test("calls that nobody has thought of do not exist", () => {
  for (const name of ["nfsservctl", "uselib", "sysfs", "file_setattr"]) assert.equal(standard(name), ENOSYS, name);
});

test("characters cannot be put into a terminal, whatever is in the upper half of the request", () => {
  assert.equal(standard("ioctl", 0n, TIOCSTI), EPERM);
  assert.equal(standard("ioctl", 0n, TIOCSTI | (1n << 32n)), EPERM);
  assert.equal(standard("ioctl", 0n, 0x541cn), EPERM);
  assert.equal(standard("ioctl", 0n, 0x5413n), ALLOW);
  assert.equal(standard("ioctl", 0n, (1n << 32n) | 0x5413n), ALLOW);
});

test("sockets are of the families that a network namespace holds", () => {
  for (const family of [1n, 2n, 10n, 16n, 17n]) assert.equal(standard("socket", family), ALLOW, `${family}`);
  for (const family of [0n, 3n, 15n, 38n, 40n, 44n])
    assert.equal(standard("socket", family), EAFNOSUPPORT, `${family}`);
  assert.equal(standard("socketpair", 1n), ALLOW);
  assert.equal(standard("socketpair", 30n), EAFNOSUPPORT);
});

test("without NET_RAW there are no packet sockets", () => {
  assert.equal(verdict([], "socket", [17n]), EAFNOSUPPORT);
});

test("32-bit calls do not lead around the rules", () => {
  assert.equal(verdict(DEFAULT_CAPABILITIES, "mount", [], "x86"), EPERM);
  assert.equal(verdict(DEFAULT_CAPABILITIES, "ioctl", [0n, TIOCSTI], "x86"), EPERM);
  assert.equal(verdict(DEFAULT_CAPABILITIES, "socket", [40n], "x86"), EAFNOSUPPORT);
  assert.equal(verdict(DEFAULT_CAPABILITIES, "read", [], "x86"), ALLOW);
  assert.equal(verdict(DEFAULT_CAPABILITIES, "read", [], "x32"), KILL_PROCESS);
  assert.equal(verdict(DEFAULT_CAPABILITIES, "socketcall", [1n, 0x1000n], "x86"), EAFNOSUPPORT);
  assert.equal(verdict(DEFAULT_CAPABILITIES, "socketcall", [3n, 0x1000n], "x86"), ALLOW);
});

test("aarch64 and arm are filtered alike", () => {
  for (const table of ["aarch64", "arm"] as const) {
    assert.equal(verdict(DEFAULT_CAPABILITIES, "openat", [], table), ALLOW, table);
    assert.equal(verdict(DEFAULT_CAPABILITIES, "mount", [], table), EPERM, table);
    assert.equal(verdict(DEFAULT_CAPABILITIES, "clone", [CLONE_NEWUSER], table), EPERM, table);
  }
});

test("a capability allows the calls that it is for", () => {
  const cases: [capability: string, name: string][] = [
    ["CAP_SYS_ADMIN", "mount"],
    ["CAP_SYS_ADMIN", "clone3"],
    ["CAP_SYS_ADMIN", "bpf"],
    ["CAP_BPF", "bpf"],
    ["CAP_PERFMON", "perf_event_open"],
    ["CAP_SYSLOG", "syslog"],
    ["CAP_SYS_CHROOT", "chroot"],
    ["CAP_SYS_TIME", "clock_settime"],
    ["CAP_SYS_NICE", "mbind"],
    ["CAP_DAC_READ_SEARCH", "open_by_handle_at"],
  ];
  for (const [capability, name] of cases) {
    assert.equal(verdict([capability], name), ALLOW, `${name} with ${capability}`);
    assert.notEqual(verdict([], name), ALLOW, `${name} without ${capability}`);
  }
  assert.equal(verdict(["CAP_SYS_ADMIN"], "clone", [CLONE_NEWUSER]), ALLOW);
});

test("no capability allows io_uring, userfaultfd or keys", () => {
  for (const name of ["io_uring_setup", "userfaultfd", "keyctl"])
    assert.equal(verdict(CAPABILITY_NAMES, name), EPERM, name);
});

test("the default program is small, and no call costs many steps", () => {
  const program = compile(defaultProfile(DEFAULT_CAPABILITIES, "x86_64"), "x86_64");
  assert.ok(program.length < 700, `${program.length} instructions`);
  const steps = (number: number) => run(program, { audit: AUDIT.x86_64, number, args: [1n, 2n, 3n, 4n, 5n, 6n] }).steps;
  assert.ok(Math.max(...Array.from({ length: 470 }, (_, number) => steps(number))) < 50);
});

test("the key of a filter names all that the profile depends on", () => {
  assert.equal(KEY_CAPABILITIES, RELEVANT_CAPABILITIES.join(" "));
  assert.equal(filterKey(DEFAULT_CAPABILITIES, "x86_64"), "x86_64 NET_RAW SYS_CHROOT");
});

test("the build's module has the program of the default capabilities", () => {
  const source = prebuiltModule("x86_64");
  const filters: Record<string, string> = JSON.parse(source.slice(source.indexOf("{"), source.lastIndexOf("}") + 1));
  const program = encodeProgram(compile(defaultProfile(DEFAULT_CAPABILITIES, "x86_64"), "x86_64"));
  assert.equal(filters[filterKey(DEFAULT_CAPABILITIES, "x86_64")], asString(program));
  assert.equal(asString(new Uint8Array([0, 127, 128, 255])), "\0\x7f\udc80\udcff");
});
