/**
 * Intel Resource Director Technology: cache and memory bandwidth of a container, by resctrl
 * (config-linux.md#intelrdt, Documentation/filesystems/resctrl.rst).
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import {
  exists,
  makeDirectory,
  O_DIRECTORY,
  O_RDONLY,
  openHost,
  readText,
  readTextIfThere,
  removeDirectory,
  writeKernelFile,
} from "../linux/hostpath.ts";
import { filesystemOf } from "../linux/mount.ts";
import { type BandwidthSteps, firstMismatch, resourceOf } from "./rdt-schemata.ts";

/** `linux.intelRdt` of the specification, 1.2 and 1.3. */
export interface IntelRdt {
  readonly closID?: string | undefined;
  readonly l3CacheSchema?: string | undefined;
  readonly memBwSchema?: string | undefined;
  readonly schemata?: readonly string[] | undefined;
  readonly enableCMT?: boolean | undefined;
  readonly enableMBM?: boolean | undefined;
  readonly enableMonitoring?: boolean | undefined;
}

export interface IntelRdtPlan {
  /** The group's directory below the mount point; empty for the default group. */
  readonly group: string;
  /** Whether the group is the container's own and goes with it. */
  readonly own: boolean;
  /** The lines to be written, in this order. Without any, a group that is not our own must be there already. */
  readonly schemata: readonly string[];
  /** Name of the monitoring group, if there is to be one. */
  readonly monitoring: string | undefined;
}

/** A group that is there; what the state of a container keeps. */
export interface RdtGroup {
  readonly directory: string;
  readonly monitoring?: string;
  /** Made for this container: removed with it. */
  readonly own: boolean;
}

function withoutNewline(value: string, field: string): string {
  if (!value.includes("\n")) return value;
  throw new Failure(`linux.intelRdt.${field}: it may not have more than one line`);
}

/**
 * What is to be done for a container.
 * @param id the container's, which names its own group
 * @throws Failure on values that the specification forbids
 */
export function planIntelRdt(rdt: IntelRdt, id: string): IntelRdtPlan {
  const { closID = "", l3CacheSchema = "", memBwSchema = "" } = rdt;
  if (closID === "." || closID === ".." || (closID.length > 1 && closID.includes("/"))) {
    throw new Failure(`linux.intelRdt.closID: '${closID}' is not the name of a group`);
  }
  if (memBwSchema !== "" && !memBwSchema.startsWith("MB:")) {
    throw new Failure(`linux.intelRdt.memBwSchema: '${memBwSchema}' does not start with 'MB:'`);
  }
  const cacheLines = l3CacheSchema
    .split("\n")
    // Bandwidth is what memBwSchema says, if that is given.
    .filter((line) => line !== "" && !(memBwSchema !== "" && line.startsWith("MB:")));
  const bandwidthLines = memBwSchema === "" ? [] : [withoutNewline(memBwSchema, "memBwSchema")];
  const further = (rdt.schemata ?? []).map((line) => withoutNewline(line, "schemata")).filter((line) => line !== "");
  const monitored = rdt.enableMonitoring === true || rdt.enableCMT === true || rdt.enableMBM === true;
  return {
    group: closID === "" ? id : closID === "/" ? "" : closID,
    own: closID === "",
    schemata: [...cacheLines, ...bandwidthLines, ...further],
    monitoring: monitored ? id : undefined,
  };
}

const DEFAULT_MOUNT_POINT = "/sys/fs/resctrl";
const RDTGROUP_SUPER_MAGIC = 0x7655821;

/** Where resctrl is mounted. Throws a Failure if it is not. */
export function findResctrl(): string {
  const atDefault = exists(DEFAULT_MOUNT_POINT) && isResctrl(DEFAULT_MOUNT_POINT);
  const found = atDefault ? DEFAULT_MOUNT_POINT : mountPointIn(readText("/proc/self/mountinfo"));
  if (found !== undefined) return found;
  throw new Failure("intelRdt is specified in config, but Intel RDT is not enabled", {
    hint: "where the processor has it: mount -t resctrl resctrl /sys/fs/resctrl",
  });
}

function isResctrl(path: string): boolean {
  using directory = openHost(path, O_RDONLY | O_DIRECTORY);
  return filesystemOf(directory.fd, path).magic === RDTGROUP_SUPER_MAGIC;
}

/** The first resctrl in the text of /proc/PID/mountinfo. Pure. */
export function mountPointIn(mountinfo: string): string | undefined {
  const line = mountinfo.split("\n").find((text) => text.includes(" - resctrl "));
  return line?.split(" ", 5)[4];
}

/** Which feature a line of `schemata` needs: a directory of info/, by resource. */
function checkFeatures(plan: IntelRdtPlan, root: string): void {
  for (const line of plan.schemata) {
    const resource = resourceOf(line);
    if (resource === "" || resource.includes("/") || !exists(`${root}/info/${resource}`)) {
      throw new Failure(`intelRdt: '${line}' is specified in config, but Intel RDT has no '${resource}' here`);
    }
  }
  if (plan.monitoring !== undefined && !exists(`${root}/info/L3_MON`)) {
    throw new Failure("intelRdt: monitoring is specified in config, but is not enabled in Intel RDT");
  }
}

/** As an error of resctrl: with the words that it keeps about the last command. */
function refusal(error: unknown, what: string, root: string): unknown {
  if (!isErrno(error)) return error;
  const status = readTextIfThere(`${root}/info/last_cmd_status`)?.trim() ?? "";
  const words = status === "" || status === "ok" ? "" : ` (${status})`;
  return new Failure(`intelRdt: unable to ${what}: ${error.message}${words}`, { cause: error });
}

/** Makes a directory. Returns false if it was there. */
function made(path: string, root: string): boolean {
  try {
    makeDirectory(path, 0o755);
    return true;
  } catch (error) {
    if (isErrno(error, "EEXIST")) return false;
    throw refusal(error, `make the group ${path}`, root);
  }
}

function bandwidthSteps(root: string): BandwidthSteps | undefined {
  const least = Number(readTextIfThere(`${root}/info/MB/min_bandwidth`) ?? "");
  const step = Number(readTextIfThere(`${root}/info/MB/bandwidth_gran`) ?? "");
  return least > 0 && step > 0 ? { least, step } : undefined;
}

/** Gives a group its schemata; of one that others may be using, checks that it has them. */
function setSchemata(plan: IntelRdtPlan, directory: string, root: string, isNew: boolean): void {
  if (plan.schemata.length === 0) return;
  const file = `${directory}/schemata`;
  if (!isNew && !plan.own) {
    const mismatch = firstMismatch(plan.schemata, readText(file), bandwidthSteps(root));
    if (mismatch === undefined) return;
    throw new Failure(`intelRdt: the group ${directory} is there and has other schemata than '${mismatch}'`);
  }
  const text = `${plan.schemata.join("\n")}\n`;
  try {
    writeKernelFile(file, text);
  } catch (error) {
    throw refusal(error, `write '${plan.schemata.join("', '")}' to ${file}`, root);
  }
}

/**
 * Makes the container's group or takes the one that is there, and sets it up.
 * @param root of `findResctrl`
 * @throws Failure if a feature is not there, or a group is not as asked for; then nothing is left of it
 */
export function createRdtGroup(plan: IntelRdtPlan, root: string): RdtGroup {
  checkFeatures(plan, root);
  const directory = plan.group === "" ? root : `${root}/${plan.group}`;
  if (!plan.own && plan.schemata.length === 0 && !exists(directory)) {
    throw new Failure(`intelRdt: there is no group ${directory}`, {
      hint: "it has to be made beforehand where the configuration has no schema for it",
    });
  }
  const isNew = made(directory, root);
  let monitoring: string | undefined;
  try {
    setSchemata(plan, directory, root, isNew);
    if (plan.monitoring !== undefined) {
      const group = `${directory}/mon_groups/${plan.monitoring}`;
      made(group, root);
      monitoring = group;
    }
  } catch (error) {
    if (isNew) removeDirectory(directory);
    throw error;
  }
  return { directory, own: plan.own && isNew, ...(monitoring === undefined ? {} : { monitoring }) };
}

/** Puts a process, which has no children yet, into the group. Throws a Failure. */
export function joinRdtGroup({ directory, monitoring }: RdtGroup, pid: number, root: string): void {
  for (const group of monitoring === undefined ? [directory] : [directory, monitoring]) {
    try {
      writeKernelFile(`${group}/tasks`, String(pid));
    } catch (error) {
      throw refusal(error, `add the process ${pid} to the group ${group}`, root);
    }
  }
}

/** Removes what was made for a container; what has gone is fine. Groups of others stay. */
export function removeRdtGroup({ directory, monitoring, own }: RdtGroup): void {
  // With a group, the monitoring groups in it go.
  if (own) removeDirectory(directory);
  else if (monitoring !== undefined) removeDirectory(monitoring);
}
