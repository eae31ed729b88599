/**
 * What a filter can say of a call: seccomp(2), include/uapi/linux/seccomp.h.
 */
import { Failure } from "../../failure.ts";
import type { SeccompAction } from "../../spec/config.ts";

const EPERM = 1;
const DATA_LIMIT = 0xffff;

/** SECCOMP_RET_*; those with data have it in the lower 16 bits. */
const VERDICTS: Readonly<Record<SeccompAction, { readonly value: number; readonly takesErrno?: boolean }>> = {
  SCMP_ACT_KILL: { value: 0x00000000 },
  SCMP_ACT_KILL_THREAD: { value: 0x00000000 },
  SCMP_ACT_KILL_PROCESS: { value: 0x80000000 },
  SCMP_ACT_TRAP: { value: 0x00030000 },
  SCMP_ACT_ERRNO: { value: 0x00050000, takesErrno: true },
  SCMP_ACT_NOTIFY: { value: 0x7fc00000 },
  SCMP_ACT_TRACE: { value: 0x7ff00000, takesErrno: true },
  SCMP_ACT_LOG: { value: 0x7ffc0000 },
  SCMP_ACT_ALLOW: { value: 0x7fff0000 },
};

/** By name in the specification. */
export const ACTION_NAMES: readonly string[] = Object.keys(VERDICTS);

export const KILL_PROCESS = VERDICTS.SCMP_ACT_KILL_PROCESS.value;

/**
 * The filter's return value for an action; the error is EPERM where none is named.
 * @throws Failure on an action that there is not, or that takes no error number and is given one (as the specification asks)
 */
export function verdictOf(action: SeccompAction, errnoRet: number | undefined): number {
  const verdict = Object.hasOwn(VERDICTS, action) ? VERDICTS[action] : undefined;
  if (verdict === undefined) throw new Failure(`seccomp: there is no action '${action}'`);
  if (verdict.takesErrno !== true) {
    if (errnoRet == null) return verdict.value;
    throw new Failure(`seccomp: the action '${action}' takes no errnoRet`, {
      hint: "SCMP_ACT_ERRNO and SCMP_ACT_TRACE do",
    });
  }
  const errno = errnoRet ?? EPERM;
  if (!Number.isInteger(errno) || errno < 0 || errno > DATA_LIMIT) {
    throw new Failure(`seccomp: errnoRet ${errno} is no error number`);
  }
  return verdict.value | errno;
}

/** Whether calls that an action is for can be carried out: then unknown ones are left to it, too. */
export function lets(action: SeccompAction): boolean {
  return action === "SCMP_ACT_ALLOW" || action === "SCMP_ACT_LOG" || action === "SCMP_ACT_TRACE";
}
