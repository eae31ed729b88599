/**
 * The execution domain: personality(2), `linux.personality` of the specification. With `LINUX32`, uname(2) tells of a machine of
 * 32 bits. It outlives execve(2), but for that of a set-user-ID program.
 */
import { Failure } from "../failure.ts";
import { call, isErrno } from "../linux/error.ts";
import type { Linux } from "../spec/config.ts";

/** include/uapi/linux/personality.h. */
const DOMAINS: ReadonlyMap<string, number> = new Map([
  ["LINUX", 0],
  ["LINUX32", 0x0008],
]);

/** What personality(2) is to be given. Flags are refused: the specification has none. Throws a Failure. */
export function planPersonality({ domain, flags = [] }: NonNullable<Linux["personality"]>): number {
  const persona = DOMAINS.get(domain);
  if (persona === undefined) {
    throw new Failure(`linux.personality.domain: unknown domain '${domain}'`, {
      hint: `known are ${[...DOMAINS.keys()].join(", ")}`,
    });
  }
  if (flags.length > 0) throw new Failure("linux.personality.flags: no flags are supported");
  return persona;
}

/** Sets the domain of this process. To be done before the seccomp filter, which may forbid it. Throws a Failure, KernelError. */
export function applyPersonality(persona: number): void {
  try {
    call("personality", "", persona);
  } catch (error) {
    // As on aarch64 where the processor has no 32-bit mode.
    if (!isErrno(error, "EINVAL")) throw error;
    throw new Failure("linux.personality: this machine does not have the domain asked for", { cause: error });
  }
}
