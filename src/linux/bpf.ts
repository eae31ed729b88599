/**
 * Programs that the kernel runs for us: bpf(2). No maps, no helpers; just enough to load a program and attach it to a cgroup.
 */
import { addressOf, utf8 } from "./door.ts";
import { call } from "./error.ts";
import { callForHandle, type Handle } from "./fd.ts";
import { concat, struct } from "./struct.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
/** Programs of cgroups above and of others stay in force; all must allow. */
const BPF_F_ALLOW_MULTI = 2;
const LICENSE = "Apache-2.0\0";

/** `struct bpf_insn`: the registers are nibbles, the destination the lower one. */
export interface Instruction {
  readonly code: number;
  readonly to: number;
  readonly from: number;
  readonly offset: number;
  readonly value: number;
}

export const INSTRUCTION_BYTES = 8;

export function encodeInstruction({ code, to, from, offset, value }: Instruction): Uint8Array {
  const bytes = new Uint8Array(INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, code);
  view.setUint8(1, (from << 4) | to);
  view.setInt16(2, offset, true);
  view.setInt32(4, value, true);
  return bytes;
}

/** The beginning of `union bpf_attr` for BPF_PROG_LOAD. */
const loadAttributes = struct({
  type: "u32",
  count: "u32",
  instructions: "u64",
  license: "u64",
  logLevel: "u32",
  logBytes: "u32",
  log: "u64",
  kernelVersion: "u32",
  flags: "u32",
});

/** `union bpf_attr` for BPF_PROG_ATTACH. */
const attachAttributes = struct({ target: "u32", program: "u32", type: "u32", flags: "u32" });

/** Gives a program to the kernel. Throws KernelError: EPERM without CAP_BPF, EINVAL if the kernel has no such programs. */
export function loadProgram(type: number, program: readonly Instruction[]): Handle {
  const instructions = concat(...program.map(encodeInstruction));
  const license = utf8(LICENSE);
  const attributes = loadAttributes.encode({
    type,
    count: program.length,
    instructions: addressOf(instructions),
    license: addressOf(license),
  });
  const handle = callForHandle("bpf", "BPF_PROG_LOAD", BPF_PROG_LOAD, attributes, loadAttributes.size);
  // The buffers that the attributes point to are in use until here.
  if (instructions.length + license.length === 0) throw new RangeError("an empty program");
  return handle;
}

/** Puts a program before what the processes of a cgroup (an open directory of version 2) do. It goes with the cgroup. */
export function attachToCgroup(cgroupFd: number, programFd: number, type: number): void {
  const attributes = attachAttributes.encode({ target: cgroupFd, program: programFd, type, flags: BPF_F_ALLOW_MULTI });
  call("bpf", "BPF_PROG_ATTACH", BPF_PROG_ATTACH, attributes, attachAttributes.size);
}
