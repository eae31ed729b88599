/**
 * Priority of the process's input and output: ioprio_set(2), `process.ioPriority` of the specification.
 */
import { Failure } from "../failure.ts";
import { call, isErrno } from "../linux/error.ts";
import type { Process } from "../spec/config.ts";

/** include/uapi/linux/ioprio.h. */
const CLASSES: ReadonlyMap<string, number> = new Map([
  ["IOPRIO_CLASS_RT", 1],
  ["IOPRIO_CLASS_BE", 2],
  ["IOPRIO_CLASS_IDLE", 3],
]);
const CLASS_SHIFT = 13;
/** 0 is the highest. */
const LOWEST_PRIORITY = 7;
const IOPRIO_WHO_PROCESS = 1;

/** What ioprio_set(2) is to be given. Throws a Failure on unknown classes and priorities. */
export function planIoPriority({ class: name, priority }: NonNullable<Process["ioPriority"]>): number {
  const number = CLASSES.get(name);
  if (number === undefined) {
    throw new Failure(`process.ioPriority.class: unknown class '${name}'`, {
      hint: `known are ${[...CLASSES.keys()].join(", ")}`,
    });
  }
  if (!Number.isInteger(priority) || priority < 0 || priority > LOWEST_PRIORITY) {
    throw new Failure(`process.ioPriority.priority: ${priority} is not from 0 to ${LOWEST_PRIORITY}`);
  }
  return (number << CLASS_SHIFT) | priority;
}

/**
 * Sets the priority of this process, which is the container's first and hands it on to all others.
 * @throws Failure if the class is not permitted; KernelError
 */
export function applyIoPriority(value: number): void {
  try {
    call("ioprio_set", "", IOPRIO_WHO_PROCESS, 0, value);
  } catch (error) {
    if (!isErrno(error, "EPERM")) throw error;
    throw new Failure("process.ioPriority: IOPRIO_CLASS_RT is not permitted here", {
      hint: "it needs CAP_SYS_NICE or CAP_SYS_ADMIN on the host",
      cause: error,
    });
  }
}
