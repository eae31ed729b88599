/**
 * Plans what few containers ask for (see uncommon.ts).
 */
import { Failure } from "../failure.ts";
import { applyCpuAffinity, parseCpuList } from "../isolation/cpu-affinity.ts";
import {
  createRdtGroup,
  findResctrl,
  joinRdtGroup,
  planIntelRdt,
  type RdtGroup,
  removeRdtGroup,
} from "../isolation/intel-rdt.ts";
import { applyIoPriority, planIoPriority } from "../isolation/io-priority.ts";
import { applyMemoryPolicy, planMemoryPolicy } from "../isolation/memory-policy.ts";
import { applyPersonality, planPersonality } from "../isolation/personality.ts";
import { applyScheduler, planScheduler } from "../isolation/scheduler.ts";
import { enterNewTimeNamespace, formatTimeOffsets, type OffsetsPlace } from "../isolation/time-offsets.ts";
import { moveNetDevices, planNetDevices } from "../network/net-devices.ts";
import type { Process, Spec } from "../spec/config.ts";

export interface Uncommon {
  /** The value of HOME, in the container's root; where the program's environment has none. */
  readonly home?: (() => string) | undefined;
  /** In the first process, in its namespaces. */
  readonly enterTime?: ((place: OffsetsPlace) => void) | undefined;
  /** In the process that becomes the program, while it has all privileges. */
  readonly applyToProgram: () => void;
  /** In the host's process, once the first process is there. Returns what is to be undone. */
  readonly applyFromHost: (pid: number) => RdtGroup | undefined;
}

export function planUncommon(spec: Spec, id: string): Uncommon {
  const { process, linux = {} } = spec;
  const time = linux.namespaces?.find(({ type }) => type === "time");
  if (linux.timeOffsets !== undefined && (time === undefined || time.path)) {
    throw new Failure("config.json: linux.timeOffsets needs a new time namespace", {
      hint: 'add { "type": "time" } to linux.namespaces',
    });
  }
  const offsets = linux.timeOffsets === undefined ? undefined : formatTimeOffsets(linux.timeOffsets);
  return {
    enterTime: time === undefined || time.path ? undefined : (place) => enterNewTimeNamespace(place, offsets),
    applyToProgram: process === undefined ? () => {} : planUncommonProgram(process, spec, false),
    applyFromHost: planFromHost(spec, id),
  };
}

/** @param isExec whether the program is one that is added to a running container: only those have a CPU affinity */
export function planUncommonProgram(process: Process, spec: Spec, isExec: boolean): () => void {
  const { personality, memoryPolicy } = spec.linux ?? {};
  const { scheduler, ioPriority, execCPUAffinity } = process;
  const persona = personality === undefined ? undefined : planPersonality(personality);
  const memory = memoryPolicy === undefined ? undefined : planMemoryPolicy(memoryPolicy);
  const scheduling = scheduler === undefined ? undefined : planScheduler(scheduler);
  const io = ioPriority === undefined ? undefined : planIoPriority(ioPriority);
  const cpus = execCPUAffinity?.final;
  const affinity = isExec && cpus ? parseCpuList(cpus) : undefined;
  return () => {
    if (persona !== undefined) applyPersonality(persona);
    if (memory !== undefined) applyMemoryPolicy(memory);
    if (scheduling !== undefined) applyScheduler(scheduling, spec.linux?.resources?.cpu?.cpus);
    if (io !== undefined) applyIoPriority(io);
    if (affinity !== undefined) applyCpuAffinity(affinity);
  };
}

function planFromHost(spec: Spec, id: string): (pid: number) => RdtGroup | undefined {
  const { intelRdt, netDevices } = spec.linux ?? {};
  const rdt = intelRdt === undefined ? undefined : planIntelRdt(intelRdt, id);
  const resctrl = rdt === undefined ? "" : findResctrl();
  const devices = planNetDevices(netDevices ?? {});
  if (devices.length > 0 && !spec.linux?.namespaces?.some(({ type }) => type === "network")) {
    throw new Failure("unable to move network devices without a NET namespace");
  }
  return (pid) => {
    if (devices.length > 0) moveNetDevices(netDevices ?? {}, pid);
    if (rdt === undefined) return undefined;
    const group = createRdtGroup(rdt, resctrl);
    try {
      joinRdtGroup(group, pid, resctrl);
    } catch (error) {
      removeRdtGroup(group);
      throw error;
    }
    return group;
  };
}
