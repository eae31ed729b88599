import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../../src/failure.ts";
import { type ProfileFacts, parseProfile } from "../../../../src/isolation/seccomp/profile-file.ts";

const FACTS: ProfileFacts = { capabilities: ["CAP_SYS_CHROOT"], machine: "x86_64", kernelRelease: "6.1.0-18-amd64" };

const parse = (profile: unknown, facts: Partial<ProfileFacts> = {}) =>
  parseProfile(JSON.stringify(profile), "profile.json", { ...FACTS, ...facts });

function namesOf(...syscalls: object[]): string[] {
  const profile = parse({ defaultAction: "SCMP_ACT_ERRNO", syscalls });
  return (profile.syscalls ?? []).flatMap(({ names }) => names);
}

const rule = (name: string, more: object = {}) => ({ names: [name], action: "SCMP_ACT_ALLOW", ...more });

test("a profile of the specification is taken as it is", () => {
  const profile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86"],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    syscalls: [
      rule("socket", { args: [{ index: 0, value: 1, valueTwo: 0, op: "SCMP_CMP_EQ" }] }),
      rule("read", { errnoRet: 1 }),
    ],
  };
  assert.deepEqual(parse(profile), profile);
});

test("docker's map of architectures means those of this machine", () => {
  const archMap = [
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
  ];
  const profile = { defaultAction: "SCMP_ACT_ERRNO", archMap };
  assert.deepEqual(parse(profile).architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  assert.deepEqual(parse(profile, { machine: "aarch64" }).architectures, ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
});

test("rules for capabilities hold for containers that have them", () => {
  const names = namesOf(
    rule("chroot", { includes: { caps: ["CAP_SYS_CHROOT"] } }),
    rule("mount", { includes: { caps: ["CAP_SYS_ADMIN"] } }),
    rule("clone", { excludes: { caps: ["CAP_SYS_ADMIN"] } }),
    rule("acct", { excludes: { caps: ["CAP_SYS_CHROOT"] } }),
    rule("read", { includes: {}, excludes: {} }),
  );
  assert.deepEqual(names, ["chroot", "clone", "read"]);
});

test("rules for architectures and kernels hold there", () => {
  const names = namesOf(
    rule("arch_prctl", { includes: { arches: ["amd64", "x32"] } }),
    rule("cacheflush", { includes: { arches: ["arm", "arm64"] } }),
    rule("ptrace", { includes: { minKernel: "4.8" } }),
    rule("mseal", { includes: { minKernel: "6.10" } }),
  );
  assert.deepEqual(names, ["arch_prctl", "ptrace"]);
});

test("lists may be null, as Go writes them, and a rule may have a single name", () => {
  assert.deepEqual(namesOf({ name: "read", action: "SCMP_ACT_ALLOW", args: null, includes: null }), ["read"]);
});

test("what is no profile is refused, with the file's name", () => {
  const bad: unknown[] = [
    null,
    [],
    {},
    { defaultAction: 1 },
    { defaultAction: "SCMP_ACT_ERRNO", syscalls: {} },
    { defaultAction: "SCMP_ACT_ERRNO", syscalls: [1] },
    { defaultAction: "SCMP_ACT_ERRNO", syscalls: [{ names: ["read"] }] },
    { defaultAction: "SCMP_ACT_ERRNO", syscalls: [rule("read", { args: [{ op: "SCMP_CMP_EQ", value: 2 ** 53 }] })] },
    { defaultAction: "SCMP_ACT_ERRNO", archMap: [], architectures: [] },
  ];
  for (const profile of bad) assert.throws(() => parse(profile), /profile\.json/, JSON.stringify(profile));
  assert.throws(() => parseProfile("{", "profile.json", FACTS), /is no JSON/);
});

test("any JSON is a profile or a failure that says why", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (syscalls, other) => {
      try {
        parse({
          defaultAction: "SCMP_ACT_ERRNO",
          syscalls: [syscalls, { ...rule("read"), args: [other] }],
          archMap: other,
        });
      } catch (error) {
        assert.ok(error instanceof Failure, String(error));
      }
    }),
  );
});
