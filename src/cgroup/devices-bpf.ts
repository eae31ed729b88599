/**
 * Cgroups version 2 have no files for devices: a BPF program is asked at every mknod(2) and open(2) of a device.
 * Documentation/admin-guide/cgroup-v2.rst ("Device controller"), include/uapi/linux/bpf.h (struct bpf_cgroup_dev_ctx).
 */
import { Failure } from "../failure.ts";
import {
  attachToCgroup,
  BPF_CGROUP_DEVICE,
  BPF_PROG_TYPE_CGROUP_DEVICE,
  type Instruction,
  loadProgram,
  programOfCgroup,
} from "../linux/bpf.ts";
import { isErrno } from "../linux/error.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { geteuid } from "../linux/process.ts";
import type { FullRule } from "./devices.ts";

/** What the program is asked about: `access_type` (the type below, the access above 16 bits), `major`, `minor`. */
const [ACCESS_TYPE_AT, MAJOR_AT, MINOR_AT] = [0, 4, 8];
const TYPE = { b: 1, c: 2 } as const;
const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;
/** By which our program is told from one that systemd, say, has attached. */
const PROGRAM_NAME = "mycontainer_dev";

/** Registers: the result, the context, and what is asked about. */
const [RESULT, CONTEXT, KIND, WANTED, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];

/** Operations of Documentation/bpf/standardization/instruction-set.rst; all of 32 bits. */
const OP = {
  load: 0x61,
  move: 0xbc,
  set: 0xb4,
  and: 0x54,
  shiftRight: 0x74,
  jump: 0x05,
  jumpUnlessEqual: 0x56,
  jumpIfAny: 0x46,
  exit: 0x95,
} as const;

function op(code: number, to = 0, value = 0, offset = 0, from = 0): Instruction {
  // The field is signed: a device number of 32 bits keeps its bits.
  return { code, to, from, offset, value: value | 0 };
}

function answer(allowed: boolean): Instruction[] {
  return [op(OP.set, RESULT, allowed ? 1 : 0), op(OP.exit)];
}

/**
 * The program for rules in their order: the last one about a device counts, and what no rule allows is denied. What is
 * wanted may be allowed by several rules together (one for reading, one for writing). Pure.
 */
export function deviceProgram(rules: readonly FullRule[]): Instruction[] {
  const program = [
    op(OP.load, KIND, 0, ACCESS_TYPE_AT, CONTEXT),
    op(OP.move, WANTED, 0, 0, KIND),
    op(OP.shiftRight, WANTED, 16),
    op(OP.and, KIND, 0xffff),
    op(OP.load, MAJOR, 0, MAJOR_AT, CONTEXT),
    op(OP.load, MINOR, 0, MINOR_AT, CONTEXT),
  ];
  for (const rule of [...rules].reverse()) {
    const block = ruleBlock(rule);
    program.push(...block.instructions);
    // The verifier refuses instructions that cannot be reached.
    if (block.isFinal) return program;
  }
  return [...program, ...answer(false)];
}

function ruleBlock(rule: FullRule): { instructions: Instruction[]; isFinal: boolean } {
  const access = [...rule.access].reduce((bits, letter) => bits | (ACCESS[letter] ?? 0), 0);
  const decision = rule.allow ? allowing(access) : denying(access);
  const conditions: [register: number, value: number | undefined][] = [
    [KIND, rule.type === "a" ? undefined : TYPE[rule.type]],
    [MAJOR, rule.major],
    [MINOR, rule.minor],
  ];
  const checks = conditions.filter((condition): condition is [number, number] => condition[1] !== undefined);
  // A check that fails jumps over the checks after it and the decision.
  const jumps = checks.map(([register, value], index) =>
    op(OP.jumpUnlessEqual, register, value, checks.length - index - 1 + decision.length),
  );
  return {
    instructions: [...jumps, ...decision],
    isFinal: checks.length === 0 && access === ALL_ACCESS && rule.allow,
  };
}

/** What is allowed is wanted no more; when nothing is left, the answer is yes. */
function allowing(access: number): Instruction[] {
  const yes = answer(true);
  if (access === ALL_ACCESS) return yes;
  return [op(OP.and, WANTED, ~access), op(OP.jumpUnlessEqual, WANTED, 0, yes.length), ...yes];
}

function denying(access: number): Instruction[] {
  const no = answer(false);
  return [op(OP.jumpIfAny, WANTED, access, 1), op(OP.jump, 0, 0, no.length), ...no];
}

/**
 * Guards the devices of a cgroup; if it was guarded by us before, the new program takes the old one's place in one step:
 * there is no moment without a guard, nor one with both. Returns warnings: an unprivileged user may not do that, and need not, for the devices
 * that a user namespace can reach are those that the user may use anyway.
 */
export function guardDevices(cgroupFd: number, rules: readonly FullRule[], isNew: boolean): string[] {
  try {
    using program = loadProgram(BPF_PROG_TYPE_CGROUP_DEVICE, PROGRAM_NAME, deviceProgram(rules));
    using before = isNew ? undefined : programOfCgroup(cgroupFd, BPF_CGROUP_DEVICE, PROGRAM_NAME);
    attachToCgroup(cgroupFd, program.fd, BPF_CGROUP_DEVICE, before?.fd);
    return [];
  } catch (error) {
    if (!isErrno(error)) throw error;
    if (isErrno(error, "EPERM", "EACCES") && !isPrivileged())
      return [`the use of devices is not limited by the cgroup: ${error.message}`];
    throw new Failure(`cannot guard the devices of the container: ${error.message}`, {
      hint: "the kernel needs CONFIG_CGROUP_BPF, and this process CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN)",
      cause: error,
    });
  }
}

/** Root, and not only of a user namespace: user_namespaces(7). */
function isPrivileged(): boolean {
  const map = (readTextIfThere("/proc/self/uid_map") ?? "").trim().split(/\s+/).join(" ");
  return geteuid() === 0 && map === "0 0 4294967295";
}
