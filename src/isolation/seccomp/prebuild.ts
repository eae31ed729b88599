/**
 * For the build: the default filters that most containers need, ready to be installed. What they are is the compiler's matter.
 */
import { DEFAULT_CAPABILITIES } from "../capabilities.ts";
import type { MachineArch } from "./architectures.ts";
import { encodeProgram } from "./bpf.ts";
import { compile } from "./compile.ts";
import { defaultProfile } from "./default-profile.ts";
import { filterKey } from "./filter-key.ts";

/** Docker's capabilities, none (`--cap-drop ALL`), and with what is most often added. */
const SETS: readonly (readonly string[])[] = [
  DEFAULT_CAPABILITIES,
  [],
  ...["SYS_ADMIN", "SYS_NICE", "SYS_PTRACE", "SYS_TIME"].map((name) => [...DEFAULT_CAPABILITIES, `CAP_${name}`]),
];

/** Bytes as a string that linux/door.ts encodes to them: those from 0x80 on are U+DC80 to U+DCFF. */
export function asString(bytes: Uint8Array): string {
  return String.fromCharCode(...Array.from(bytes, (byte) => (byte < 0x80 ? byte : 0xdc00 | byte)));
}

/** The source of prebuilt.ts, filled for executables of this machine. */
export function prebuiltModule(machine: MachineArch): string {
  const filters: Record<string, string> = {};
  for (const capabilities of SETS) {
    const program = compile(defaultProfile(capabilities, machine), machine);
    filters[filterKey(capabilities, machine)] = asString(encodeProgram(program));
  }
  return `export const PREBUILT = ${JSON.stringify(filters)};\n`;
}
