/**
 * The CPUs that a process may run on: sched_setaffinity(2), `process.execCPUAffinity` of the specification.
 */
import { Failure } from "../failure.ts";
import { attempt, call, isErrno } from "../linux/error.ts";
import { maskOfNumbers, parseNumberList } from "./number-list.ts";

/** The most CPUs that a kernel can be built for (NR_CPUS with MAXSMP). */
const CPU_LIMIT = 8192;

/**
 * The CPUs that a list such as `0-3,7` names, ascending; none for an empty one, which means "leave it as it is".
 * @param about the field that it is from, for the error
 * @throws Failure
 */
export function parseCpuList(list: string, about = "process.execCPUAffinity"): number[] {
  return parseNumberList(list, CPU_LIMIT, about);
}

/**
 * Binds this process to CPUs; an empty list leaves it as it is. CPUs that are not there or not of its cpuset are left out, as long
 * as one remains.
 * @throws Failure if none remains; KernelError
 */
export function applyCpuAffinity(cpus: readonly number[]): void {
  if (cpus.length === 0) return;
  const mask = maskOfNumbers(cpus);
  try {
    call("sched_setaffinity", "", 0, mask.length, mask);
  } catch (error) {
    if (!isErrno(error, "EINVAL")) throw error;
    throw new Failure(`process.execCPUAffinity: the process may run on none of the CPUs ${cpus.join(",")}`, {
      hint: "Cpus_allowed_list of /proc/self/status lists those that it may run on",
      cause: error,
    });
  }
}

/**
 * Lets this process run on all CPUs that its cpuset has, those of one that it is moved to later as well: that our caller keeps
 * to some says nothing about the container.
 */
export function resetCpuAffinity(): void {
  // It may be forbidden, and then stays as it is.
  attempt("sched_setaffinity", 0, CPU_LIMIT / 8, new Uint8Array(CPU_LIMIT / 8).fill(0xff));
}

/** The CPUs that this process may run on, as a mask in hexadecimal. */
export function cpuAffinity(): string {
  const mask = new Uint8Array(CPU_LIMIT / 8);
  const length = call("sched_getaffinity", "", 0, mask.length, mask);
  const digits = [...mask.subarray(0, length)].reverse().map((byte) => byte.toString(16).padStart(2, "0"));
  return `0x${digits.join("").replace(/^0+(?=.)/, "")}`;
}
