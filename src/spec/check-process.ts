/**
 * What is asked of a process beyond its shape (config.md#process), also of one that `exec --process` names.
 */
import { Failure } from "../failure.ts";
import { CAPABILITY_NAMES } from "./capabilities.ts";
import type { Process, Scheduler, User } from "./config.ts";
import { showValue } from "./json-path.ts";
import { checkRlimits } from "./rlimits.ts";

const OOM_SCORE_LIMIT = 1000;
const [NICE_LEAST, NICE_MOST] = [-20, 19];
const IO_PRIORITY_MOST = 7;
const UMASK_MOST = 0o777;
const NO_ID = 0xffffffff;

/**
 * Throws a Failure that begins with `at`.
 * @param at where it is: `config.json: process`
 * @returns warnings: what of it is ignored
 */
export function checkProcess(process: Process, at: string): string[] {
  const { cwd, args = [], oomScoreAdj = 0, ioPriority, execCPUAffinity, scheduler, user } = process;
  if (cwd === "") throw new Failure(`${at}.cwd: must not be empty`);
  if (!cwd.startsWith("/")) throw new Failure(`${at}.cwd: must be an absolute path, got ${showValue(cwd)}`);
  if (args.length === 0) throw new Failure(`${at}.args: must not be empty`);
  if (oomScoreAdj < -OOM_SCORE_LIMIT || oomScoreAdj > OOM_SCORE_LIMIT) {
    throw new Failure(`${at}.oomScoreAdj: must be from -${OOM_SCORE_LIMIT} to ${OOM_SCORE_LIMIT}, got ${oomScoreAdj}`);
  }
  for (const [index, variable] of (process.env ?? []).entries()) {
    // Without a name or a value it is none: environ(7).
    if (variable.indexOf("=") < 1)
      throw new Failure(`${at}.env[${index}]: invalid environment variable: ${showValue(variable)}`);
  }
  checkIds(user, `${at}.user`);
  if (user.umask !== undefined && user.umask > UMASK_MOST) {
    throw new Failure(`${at}.user.umask: must be at most ${UMASK_MOST} (octal 777), got ${user.umask}`);
  }
  if (process.rlimits !== undefined) checkRlimits(process.rlimits, `${at}.rlimits`);
  if (scheduler !== undefined) checkScheduler(scheduler, `${at}.scheduler`);
  if (ioPriority !== undefined && (ioPriority.priority < 0 || ioPriority.priority > IO_PRIORITY_MOST)) {
    throw new Failure(`${at}.ioPriority.priority: must be from 0 to ${IO_PRIORITY_MOST}, got ${ioPriority.priority}`);
  }
  for (const [name, cpus] of Object.entries(execCPUAffinity ?? {})) {
    if (!/^[0-9, -]*$/.test(cpus)) {
      throw new Failure(`${at}.execCPUAffinity.${name}: expected a list of CPUs as in 0-3,7, got ${showValue(cpus)}`);
    }
  }
  return unknownCapabilities(process, at);
}

/** 4294967295 is "no id" for the kernel: setresuid(2) takes it for "leave it as it is", which is root. */
function checkIds({ uid, gid, additionalGids = [] }: User, at: string): void {
  const ids = { uid, gid, ...Object.fromEntries(additionalGids.map((id, index) => [`additionalGids[${index}]`, id])) };
  for (const [name, id] of Object.entries(ids)) {
    if (id >= NO_ID) throw new Failure(`${at}.${name}: must be below ${NO_ID}, got ${id}`);
  }
}

/** sched_setattr(2): which values go with which policy. */
function checkScheduler({ policy, nice = 0, priority = 0, runtime, deadline, period }: Scheduler, at: string): void {
  if ((policy === "SCHED_OTHER" || policy === "SCHED_BATCH") && (nice < NICE_LEAST || nice > NICE_MOST)) {
    throw new Failure(`${at}.nice: must be from ${NICE_LEAST} to ${NICE_MOST}, got ${nice}`);
  }
  if (priority !== 0 && policy !== "SCHED_FIFO" && policy !== "SCHED_RR") {
    throw new Failure(`${at}.priority: goes with SCHED_FIFO and SCHED_RR only, not with ${policy}`);
  }
  const isTimed = [runtime, deadline, period].some((time) => time !== undefined && time !== 0);
  if (isTimed && policy !== "SCHED_DEADLINE") {
    throw new Failure(`${at}: runtime, deadline and period go with SCHED_DEADLINE only, not with ${policy}`);
  }
}

/** The specification has them ignored, with a warning (config.md#linux-process). */
function unknownCapabilities({ capabilities }: Process, at: string): string[] {
  const unknown = new Set<string>();
  for (const names of Object.values(capabilities ?? {})) {
    for (const name of names) if (!CAPABILITY_NAMES.includes(name)) unknown.add(name);
  }
  return [...unknown].map((name) => `${at}.capabilities: unknown capability ${showValue(name)} is ignored`);
}
