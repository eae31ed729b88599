/**
 * What few containers ask for: scheduling, I/O priority, personality, memory policy, CPU affinity, clocks of their own, cache
 * and bandwidth of Intel's resource director, network devices of the host's. All of it is planned before anything is made; the
 * code is loaded where one is asked for.
 */
import type { Process, Spec } from "../spec/config.ts";
import type { Uncommon } from "./plan-uncommon.ts";

function asksForProcess({ scheduler, ioPriority, execCPUAffinity }: Process): boolean {
  return scheduler !== undefined || ioPriority !== undefined || execCPUAffinity !== undefined;
}

/** What a container's config asks for; undefined for nothing of it. Throws a Failure for what makes no sense. */
export async function uncommonOf(spec: Spec, id: string): Promise<Uncommon | undefined> {
  const { process, linux = {} } = spec;
  const ofLinux = [linux.personality, linux.timeOffsets, linux.memoryPolicy, linux.intelRdt, linux.netDevices];
  const ownTime = linux.namespaces?.some(({ type, path }) => type === "time" && !path) === true;
  const asked = ofLinux.some((field) => field !== undefined) || ownTime;
  if (!asked && (process === undefined || !asksForProcess(process))) return undefined;
  const { planUncommon } = await import("./plan-uncommon.ts");
  return planUncommon(spec, id);
}

/** As `uncommonOf`, of a program that exec adds: what belongs to the container alone is left out. */
export async function uncommonOfExec(process: Process, spec: Spec): Promise<Uncommon | undefined> {
  const { personality, memoryPolicy } = spec.linux ?? {};
  if (!asksForProcess(process) && personality === undefined && memoryPolicy === undefined) return undefined;
  const { planUncommonProgram } = await import("./plan-uncommon.ts");
  return { applyToProgram: planUncommonProgram(process, spec, true), applyFromHost: () => undefined };
}
