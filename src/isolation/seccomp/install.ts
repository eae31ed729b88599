/**
 * Puts a process, for good, under a filter of system calls: seccomp(2).
 */
import { Failure } from "../../failure.ts";
import { addressOf } from "../../linux/door.ts";
import { attempt, KernelError } from "../../linux/error.ts";
import { Handle } from "../../linux/fd.ts";
import { struct } from "../../linux/struct.ts";

/** A filter that the kernel can take as it is. */
export interface Filter {
  /** `struct sock_filter[]`. */
  readonly program: Uint8Array;
  /** FLAG bits. */
  readonly flags: number;
}

/** SECCOMP_FILTER_FLAG_*: include/uapi/linux/seccomp.h. */
export const FLAG = { log: 2, specAllow: 4, newListener: 8, waitKillableReceive: 32 } as const;

/**
 * Without SPEC_ALLOW, older kernels slow a filtered process down by mitigations against its own speculation: it runs only
 * what is its own anyway.
 */
export const DEFAULT_FLAGS: number = FLAG.specAllow;

const SET_MODE_FILTER = 1;
const INSTRUCTION_BYTES = 8;
const [EACCES, EINVAL, ENOSYS] = [13, 22, 38];

/** `struct sock_fprog`. */
const programHeader = struct({ length: "u16", filter: "u64" });

/**
 * Filters the calls of this process and of all that it starts. It must have no_new_privs or CAP_SYS_ADMIN.
 * @returns the descriptor on which calls are announced, if the filter has such (seccomp_unotify(2))
 */
export function installFilter({ program, flags }: Filter): Handle | undefined {
  const header = programHeader.encode({ length: program.length / INSTRUCTION_BYTES, filter: addressOf(program) });
  const result = attempt("seccomp", SET_MODE_FILTER, flags, header);
  if (result >= 0) return (flags & FLAG.newListener) === 0 ? undefined : new Handle(result);
  const cause = new KernelError("seccomp", -result, "filter");
  switch (-result) {
    case EACCES:
      throw new Failure("the seccomp filter may not be installed", {
        hint: "it takes CAP_SYS_ADMIN, or 'noNewPrivileges'",
        cause,
      });
    case EINVAL:
    case ENOSYS:
      throw new Failure("this kernel cannot run the seccomp filter", {
        hint: "it needs CONFIG_SECCOMP_FILTER and the flags of the profile (WAIT_KILLABLE_RECV: Linux 5.19); '--security-opt seccomp=unconfined' does without",
        cause,
      });
    default:
      throw cause;
  }
}
