/**
 * Programs that the kernel runs for us: bpf(2). No maps, no helpers; just enough to load a program and attach it to a cgroup.
 */
import { addressOf, cString, utf8 } from "./door.ts";
import { call } from "./error.ts";
import { callForHandle, type Handle } from "./fd.ts";
import { concat, struct } from "./struct.ts";

const BPF_PROG_LOAD = 5;
const BPF_PROG_ATTACH = 8;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const BPF_PROG_QUERY = 16;
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
/** Programs of cgroups above and of others stay in force; all must allow. */
const BPF_F_ALLOW_MULTI = 2;
/** One program takes the place of another, in one step: kernels from 5.6 on. */
const BPF_F_REPLACE = 4;
/** More than the kernel lets be attached to one cgroup (BPF_CGROUP_MAX_PROGS). */
const MOST_PROGRAMS = 64;
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
/** `prog_name` follows: it is shown by bpftool, and tells our programs from others'. */
const NAME_BYTES = 16;
/** Where `struct bpf_prog_info` has the name. */
const INFO_NAME_AT = 64;
const INFO_BYTES = INFO_NAME_AT + NAME_BYTES;

/** `union bpf_attr` for BPF_PROG_ATTACH. */
const attachAttributes = struct({ target: "u32", program: "u32", type: "u32", flags: "u32", replaced: "u32" });

/** `union bpf_attr` for BPF_PROG_QUERY. */
const queryAttributes = struct({
  target: "u32",
  type: "u32",
  queryFlags: "u32",
  attachFlags: "u32",
  ids: "u64",
  count: "u32",
});

/** `union bpf_attr` for BPF_PROG_GET_FD_BY_ID. */
const byIdAttributes = struct({ id: "u32", next: "u32", flags: "u32" });

/** `union bpf_attr` for BPF_OBJ_GET_INFO_BY_FD. */
const infoAttributes = struct({ program: "u32", length: "u32", info: "u64" });

/**
 * Gives a program to the kernel. Throws KernelError: EPERM without CAP_BPF, EINVAL if the kernel has no such programs.
 * @param name of at most 15 letters, digits and `_`
 */
export function loadProgram(type: number, name: string, program: readonly Instruction[]): Handle {
  const instructions = concat(...program.map(encodeInstruction));
  const license = utf8(LICENSE);
  const attributes = new Uint8Array(loadAttributes.size + NAME_BYTES);
  loadAttributes.encode(
    { type, count: program.length, instructions: addressOf(instructions), license: addressOf(license) },
    attributes,
  );
  attributes.set(utf8(name).subarray(0, NAME_BYTES - 1), loadAttributes.size);
  const handle = callForHandle("bpf", "BPF_PROG_LOAD", BPF_PROG_LOAD, attributes, attributes.length);
  // The buffers that the attributes point to are in use until here.
  if (instructions.length + license.length === 0) throw new RangeError("an empty program");
  return handle;
}

/**
 * Puts a program before what the processes of a cgroup (an open directory of version 2) do. It goes with the cgroup.
 * @param replacedFd an attached program whose place it takes, in one step
 */
export function attachToCgroup(cgroupFd: number, programFd: number, type: number, replacedFd?: number): void {
  const flags = replacedFd === undefined ? BPF_F_ALLOW_MULTI : BPF_F_ALLOW_MULTI | BPF_F_REPLACE;
  const attributes = attachAttributes.encode({
    target: cgroupFd,
    program: programFd,
    type,
    flags,
    replaced: replacedFd ?? 0,
  });
  call("bpf", "BPF_PROG_ATTACH", BPF_PROG_ATTACH, attributes, attachAttributes.size);
}

/** The first program with that name which is attached to this very cgroup; undefined if there is none. */
export function programOfCgroup(cgroupFd: number, type: number, name: string): Handle | undefined {
  const ids = new Uint32Array(MOST_PROGRAMS);
  const query = queryAttributes.encode({ target: cgroupFd, type, ids: addressOf(ids), count: ids.length });
  call("bpf", "BPF_PROG_QUERY", BPF_PROG_QUERY, query, queryAttributes.size);
  for (const id of ids.subarray(0, queryAttributes.decode(query).count)) {
    const attributes = byIdAttributes.encode({ id });
    const program = callForHandle(
      "bpf",
      "BPF_PROG_GET_FD_BY_ID",
      BPF_PROG_GET_FD_BY_ID,
      attributes,
      byIdAttributes.size,
    );
    if (nameOf(program.fd) === name) return program;
    program.close();
  }
  return undefined;
}

function nameOf(programFd: number): string {
  const info = new Uint8Array(INFO_BYTES);
  const attributes = infoAttributes.encode({ program: programFd, length: info.length, info: addressOf(info) });
  call("bpf", "BPF_OBJ_GET_INFO_BY_FD", BPF_OBJ_GET_INFO_BY_FD, attributes, infoAttributes.size);
  return cString(info, INFO_NAME_AT);
}
