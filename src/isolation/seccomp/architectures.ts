/**
 * Architectures of system calls, as seccomp(2) sees them.
 */
import { Failure } from "../../failure.ts";
import type { TableName } from "./syscall-tables.ts";

export interface Architecture {
  readonly table: TableName;
  /** AUDIT_ARCH_*: include/uapi/linux/audit.h. x32 has that of x86_64. */
  readonly audit: number;
  /** Whether arguments have 64 bits; else the upper half is 0. */
  readonly wide: boolean;
  /** Added to each number. */
  readonly base: number;
}

/** __X32_SYSCALL_BIT. */
export const X32_BIT = 0x40000000;

const X86_64: Architecture = { table: "x86_64", audit: 0xc000003e, wide: true, base: 0 };
const AARCH64: Architecture = { table: "aarch64", audit: 0xc00000b7, wide: true, base: 0 };

/** By name in the specification: config-linux.md#seccomp. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  SCMP_ARCH_X86_64: X86_64,
  SCMP_ARCH_X86: { table: "x86", audit: 0x40000003, wide: false, base: 0 },
  // A process of x32 passes whole registers.
  SCMP_ARCH_X32: { table: "x32", audit: X86_64.audit, wide: true, base: X32_BIT },
  SCMP_ARCH_AARCH64: AARCH64,
  SCMP_ARCH_ARM: { table: "arm", audit: 0x40000028, wide: false, base: 0 },
};

const PREFIX = "SCMP_ARCH_";

/** Those that no kernel of our architectures runs programs of: in a list, they mean nothing here. */
const ELSEWHERE: readonly string[] = (
  "LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 " +
  "S390X SH SHEB"
).split(" ");

/** All names that a profile may have. */
export function architectureNames(): string[] {
  return [...Object.keys(ARCHITECTURES), ...ELSEWHERE.map((name) => `SCMP_ARCH_${name}`)];
}

export type MachineArch = "x86_64" | "aarch64";

/** Of this machine, then those listed that its kernel can run. Throws a Failure on a name that is none. */
export function architecturesOf(machine: MachineArch, listed: readonly string[]): Architecture[] {
  const native = machine === "x86_64" ? X86_64 : AARCH64;
  const found = new Set([native]);
  for (const name of listed) {
    const architecture = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
    if (architecture !== undefined) {
      if (isX86(architecture) === (machine === "x86_64")) found.add(architecture);
    } else if (!name.startsWith(PREFIX) || !ELSEWHERE.includes(name.slice(PREFIX.length))) {
      throw new Failure(`seccomp: there is no architecture '${name}'`, { hint: "as in SCMP_ARCH_X86_64" });
    }
  }
  return [...found];
}

function isX86({ table }: Architecture): boolean {
  return table === "x86_64" || table === "x86" || table === "x32";
}
