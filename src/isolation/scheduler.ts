/**
 * Scheduling policy of the container's process: sched_setattr(2), sched(7), `process.scheduler` of the specification.
 */
import { Failure } from "../failure.ts";
import { call, isErrno } from "../linux/error.ts";
import { struct } from "../linux/struct.ts";
import type { Int64, Scheduler } from "../spec/config.ts";

/** include/uapi/linux/sched.h; ISO has a number and no implementation: kernels refuse it. */
const POLICIES: ReadonlyMap<string, number> = new Map([
  ["SCHED_OTHER", 0],
  ["SCHED_FIFO", 1],
  ["SCHED_RR", 2],
  ["SCHED_BATCH", 3],
  ["SCHED_ISO", 4],
  ["SCHED_IDLE", 5],
  ["SCHED_DEADLINE", 6],
]);

const FLAGS: ReadonlyMap<string, number> = new Map([
  ["SCHED_FLAG_RESET_ON_FORK", 0x01],
  ["SCHED_FLAG_RECLAIM", 0x02],
  ["SCHED_FLAG_DL_OVERRUN", 0x04],
  ["SCHED_FLAG_KEEP_POLICY", 0x08],
  ["SCHED_FLAG_KEEP_PARAMS", 0x10],
  ["SCHED_FLAG_UTIL_CLAMP_MIN", 0x20],
  ["SCHED_FLAG_UTIL_CLAMP_MAX", 0x40],
]);

const [NICE_LEAST, NICE_MOST] = [-20, 19];
const REALTIME_PRIORITY_LIMIT = 99;
const UNSIGNED_LIMIT = 1n << 64n;

/** As the kernel is told: all numbers. */
export interface SchedulerPlan {
  /** The policy's name, for errors. */
  readonly name: string;
  readonly policy: number;
  readonly flags: number;
  readonly nice: number;
  readonly priority: number;
  /** Nanoseconds, of SCHED_DEADLINE. */
  readonly runtime: bigint;
  readonly deadline: bigint;
  readonly period: bigint;
}

function nanoseconds(value: Int64 | undefined, field: string): bigint {
  const exact = BigInt(value ?? 0);
  if (exact < 0n || exact >= UNSIGNED_LIMIT) throw new Failure(`process.scheduler.${field}: ${exact} is out of range`);
  return exact;
}

function flagsOf(names: readonly string[]): number {
  let flags = 0;
  for (const name of names) {
    const flag = FLAGS.get(name);
    if (flag === undefined) throw new Failure(`process.scheduler.flags: unknown flag '${name}'`);
    flags |= flag;
  }
  return flags;
}

/**
 * What sched_setattr(2) is to be given.
 * @throws Failure on unknown names, and on values that do not go with the policy
 */
export function planScheduler(scheduler: Scheduler): SchedulerPlan {
  const { policy: name, nice = 0, priority = 0 } = scheduler;
  const policy = POLICIES.get(name);
  if (policy === undefined) {
    throw new Failure(`process.scheduler.policy: unknown policy '${name}'`, {
      hint: `known are ${[...POLICIES.keys()].join(", ")}`,
    });
  }
  if ((name === "SCHED_OTHER" || name === "SCHED_BATCH") && (nice < NICE_LEAST || nice > NICE_MOST)) {
    throw new Failure(`process.scheduler.nice: ${nice} is not from ${NICE_LEAST} to ${NICE_MOST}`);
  }
  checkPriority(name, priority);
  const runtime = nanoseconds(scheduler.runtime, "runtime");
  const deadline = nanoseconds(scheduler.deadline, "deadline");
  const period = nanoseconds(scheduler.period, "period");
  if (name !== "SCHED_DEADLINE" && (runtime !== 0n || deadline !== 0n || period !== 0n)) {
    throw new Failure(`process.scheduler: runtime, deadline and period go with SCHED_DEADLINE only, not with ${name}`);
  }
  return { name, policy, flags: flagsOf(scheduler.flags ?? []), nice, priority, runtime, deadline, period };
}

function checkPriority(name: string, priority: number): void {
  const isRealtime = name === "SCHED_FIFO" || name === "SCHED_RR";
  if (!isRealtime && priority !== 0) {
    throw new Failure(`process.scheduler.priority: it goes with SCHED_FIFO and SCHED_RR only, not with ${name}`);
  }
  if (isRealtime && (priority < 1 || priority > REALTIME_PRIORITY_LIMIT)) {
    throw new Failure(
      `process.scheduler.priority: with ${name} it is from 1 to ${REALTIME_PRIORITY_LIMIT}, and not ${priority}`,
    );
  }
}

/** `struct sched_attr` as of Linux 5.3, with the utilization clamps. */
const schedAttr = struct({
  size: "u32",
  policy: "u32",
  flags: "big64",
  nice: "i32",
  priority: "u32",
  runtime: "big64",
  deadline: "big64",
  period: "big64",
  utilMin: "u32",
  utilMax: "u32",
});

/** `struct sched_attr` of a plan. */
export function encodeScheduler(plan: SchedulerPlan): Uint8Array {
  return schedAttr.encode({ ...plan, size: schedAttr.size, flags: BigInt(plan.flags) });
}

/**
 * Sets the scheduling policy of this process. To be done once it is in its cgroup (a cpuset decides about SCHED_DEADLINE), and
 * while it has CAP_SYS_NICE.
 * @param cpus that the container is limited to
 * @throws Failure where the kernel does not grant or know it; KernelError
 */
export function applyScheduler(plan: SchedulerPlan, cpus: string | undefined): void {
  try {
    call("sched_setattr", plan.name, 0, encodeScheduler(plan), 0);
  } catch (error) {
    if (isErrno(error, "EPERM")) {
      // sched_setattr(2): who may not use all CPUs may not have deadlines.
      const isLimited = plan.name === "SCHED_DEADLINE" && cpus !== undefined && cpus !== "";
      const why = isLimited
        ? `process scheduler can't be used together with AllowedCPUs (${cpus})`
        : "not permitted here";
      throw new Failure(`process.scheduler: ${plan.name}: ${why}`, { hint: hintOf(plan), cause: error });
    }
    if (isErrno(error, "EINVAL", "ENOTSUP", "E2BIG")) {
      throw new Failure(`process.scheduler: the kernel does not take these values with ${plan.name}`, { cause: error });
    }
    if (isErrno(error, "EBUSY")) {
      throw new Failure("process.scheduler: the CPUs have no bandwidth left for this runtime and period", {
        cause: error,
      });
    }
    throw error;
  }
}

function hintOf({ name }: SchedulerPlan): string {
  if (name === "SCHED_DEADLINE") {
    return "it needs CAP_SYS_NICE on the host, and all CPUs of the machine or of an exclusive cpuset";
  }
  if (name === "SCHED_FIFO" || name === "SCHED_RR") {
    return "it needs CAP_SYS_NICE on the host or RLIMIT_RTPRIO, and with cgroup v1 a cpu.rt_runtime_us above 0";
  }
  return "a nice value below the present one needs CAP_SYS_NICE on the host or RLIMIT_NICE";
}
