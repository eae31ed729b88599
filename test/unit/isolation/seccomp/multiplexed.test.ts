import assert from "node:assert/strict";
import { test } from "node:test";
import { compile } from "../../../../src/isolation/seccomp/compile.ts";
import type { Seccomp, SeccompRule } from "../../../../src/spec/config.ts";
import { check, run } from "./interpreter.ts";

const X86 = 0x40000003;
const [SOCKETCALL, IPC] = [102, 117];
const [SOCKET, BIND, SEND] = [1n, 2n, 9n];
const SHMAT = 21n;
const ALLOW = 0x7fff0000;
const errno = (number: number) => 0x00050000 | number;
const [EPERM, EACCES] = [1, 13];

function verdictOf(profile: Seccomp, number: number, first: bigint): number {
  const program = compile({ ...profile, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] }, "x86_64");
  check(program);
  return run(program, { audit: X86, number, args: [first] }).verdict;
}

const allowing = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ALLOW", syscalls });
const refusing = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ERRNO", syscalls });

test("a call that is refused is refused through its multiplexer", () => {
  const profile = allowing({ names: ["socket", "shmat"], action: "SCMP_ACT_ERRNO", errnoRet: EACCES });
  assert.equal(verdictOf(profile, SOCKETCALL, SOCKET), errno(EACCES));
  assert.equal(verdictOf(profile, SOCKETCALL, BIND), ALLOW);
  assert.equal(verdictOf(profile, IPC, SHMAT), errno(EACCES));
  assert.equal(verdictOf(profile, IPC, SHMAT + 1n), ALLOW);
});

test("the version in the first argument of ipc does not lead around the rules", () => {
  const profile = allowing({ names: ["shmat"], action: "SCMP_ACT_ERRNO" });
  assert.equal(verdictOf(profile, IPC, 0x10000n + SHMAT), errno(EPERM));
});

test("a call that is allowed is allowed through its multiplexer, also one that has no number of its own", () => {
  const profile = refusing({ names: ["socket", "send"], action: "SCMP_ACT_ALLOW" });
  assert.equal(verdictOf(profile, SOCKETCALL, SOCKET), ALLOW);
  assert.equal(verdictOf(profile, SOCKETCALL, SEND), ALLOW);
  assert.equal(verdictOf(profile, SOCKETCALL, BIND), errno(EPERM));
});

test("what is refused on a condition is always refused where the condition cannot be seen", () => {
  const args: SeccompRule["args"] = [{ index: 0, op: "SCMP_CMP_EQ", value: 38 }];
  assert.equal(
    verdictOf(allowing({ names: ["socket"], action: "SCMP_ACT_ERRNO", args }), SOCKETCALL, SOCKET),
    errno(EPERM),
  );
  assert.equal(
    verdictOf(refusing({ names: ["socket"], action: "SCMP_ACT_ALLOW", args }), SOCKETCALL, SOCKET),
    errno(EPERM),
  );
});

test("a profile that names a multiplexer decides about it itself", () => {
  const profile = refusing(
    { names: ["socketcall"], action: "SCMP_ACT_ALLOW" },
    { names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: EACCES },
  );
  assert.equal(verdictOf(profile, SOCKETCALL, SOCKET), ALLOW);
});
