/**
 * What few containers ask for: scheduling, I/O priority, personality, memory policy, CPU affinity, clocks of their own, cache
 * and bandwidth of Intel's resource director, network devices of the host's, a HOME that has to be looked up. All of it is planned before anything is made.
 */
import { homeInRoot } from "../isolation/users.ts";
import type { Process, Spec } from "../spec/config.ts";
import { planUncommon, planUncommonProgram, type Uncommon } from "./plan-uncommon.ts";

function asksForProcess({ scheduler, ioPriority, execCPUAffinity }: Process): boolean {
  return scheduler !== undefined || ioPriority !== undefined || execCPUAffinity !== undefined;
}

/** What a container's config asks for; undefined for nothing of it. Throws a Failure for what makes no sense. */
export function uncommonOf(spec: Spec, id: string): Uncommon | undefined {
  const { process, linux = {} } = spec;
  const ofLinux = [linux.personality, linux.timeOffsets, linux.memoryPolicy, linux.intelRdt, linux.netDevices];
  const ownTime = linux.namespaces?.some(({ type, path }) => type === "time" && !path) === true;
  const asked = ofLinux.some((field) => field !== undefined) || ownTime;
  const home = homeOf(process);
  if (!asked && (process === undefined || !asksForProcess(process))) return onlyHome(home);
  return { ...planUncommon(spec, id), home };
}

/** As `uncommonOf`, of a program that exec adds: what belongs to the container alone is left out. */
export function uncommonOfExec(process: Process, spec: Spec): Uncommon | undefined {
  const { personality, memoryPolicy } = spec.linux ?? {};
  const home = homeOf(process);
  if (!asksForProcess(process) && personality === undefined && memoryPolicy === undefined) return onlyHome(home);
  return { home, applyToProgram: planUncommonProgram(process, spec, true), applyFromHost: () => undefined };
}

/** Looks up the home directory of the program's user, if the environment does not have HOME: as runc and crun do. */
function homeOf(process: Process | undefined): (() => string) | undefined {
  const last = process?.env?.findLast((entry) => entry.startsWith("HOME=")) ?? "HOME=";
  if (process === undefined || last !== "HOME=") return undefined;
  return () => homeInRoot(process.user.uid);
}

function onlyHome(home: (() => string) | undefined): Uncommon | undefined {
  return home && { home, applyToProgram: () => {}, applyFromHost: () => undefined };
}
