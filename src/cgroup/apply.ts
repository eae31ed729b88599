/**
 * Carries the plan of a cgroup out, and undoes it. Below `plan`, a cgroup is named by its path alone: the host's layout
 * is looked up again.
 */
import { Failure } from "../failure.ts";
import { errnoName } from "../linux/errno.ts";
import { attempt, isErrno } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import {
  exists,
  makeDirectories,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  openHost,
  readText,
  removeDirectory,
  writeKernelFile,
} from "../linux/hostpath.ts";
import { writeAll, writeOnce } from "../linux/io.ts";
import { guardDevices } from "./devices-bpf.ts";
import { directoriesOf, emptyAndRemove, isRemoved } from "./empty.ts";
import { readIfAlive, tryWrite } from "./file.ts";
import { detectLayout, mountpointsOf, unifiedOf } from "./layout.ts";
import { membersOf, processesIn } from "./members.ts";
import { giveAway } from "./ownership.ts";
import { ancestorsOf, checkCgroupPath } from "./path.ts";
import type { CgroupPlan, PlannedDirectory, PlannedWrite } from "./plan.ts";

const DIRECTORY_MODE = 0o755;
const [ENOENT, EEXIST, EINVAL] = [2, 17, 22];

/**
 * Makes the cgroup with its limits. Nothing is left of it if that fails. Returns warnings about limits that nobody asked for.
 * One that is `adopted` was made for us, and has our process in it.
 */
export function createCgroup(plan: CgroupPlan, { adopted = false } = {}): string[] {
  const made: string[] = [];
  try {
    for (const { controllers, directory, unified } of plan.directories) {
      if (makeCgroup(directory)) made.push(directory);
      else if (!adopted) refuseInUse([directory]);
      if (plan.layout !== "v2" && unified !== true && controllers.includes("cpuset")) {
        const mountpoint = directory.slice(0, -plan.path.length);
        for (const file of ["cpuset.cpus", "cpuset.mems"]) inherit(mountpoint, plan.path, file);
      }
    }
    const refusals = enableControllers(plan);
    const isNew = made.length === plan.directories.length;
    const writes = isNew ? plan.writes.filter(({ initial }) => initial !== true) : plan.writes;
    const warnings = setLimits(plan, writes, refusals, isNew || adopted);
    const [only] = plan.directories;
    if (plan.ownerUid !== undefined && only !== undefined) giveAway(only.directory, plan.ownerUid);
    return warnings;
  } catch (error) {
    for (const directory of made.reverse()) removeQuietly(directory);
    throw error;
  }
}

/** Returns false if it was there. */
function makeCgroup(directory: string): boolean {
  const result = attempt("mkdirat", AT_FDCWD, directory, DIRECTORY_MODE);
  if (result === 0) return true;
  if (result === -EEXIST) return false;
  try {
    makeDirectories(directory, DIRECTORY_MODE);
    return true;
  } catch (error) {
    if (!isErrno(error, "EACCES", "EPERM", "EROFS", "ENOENT")) throw error;
    throw new Failure(`cannot make the cgroup ${directory}: ${error.code}`, {
      hint: "cgroups must be mounted read-write, and this user must own the cgroup above",
      cause: error,
    });
  }
}

/** The cgroup is somebody else's: whoever undoes what was done for a container leaves it alone. */
export class CgroupInUse extends Failure {}

/**
 * A cgroup may have been prepared for us; one with processes, in it or below, is somebody else's, as a frozen one. To be called before it is on
 * record as a container's own, to be emptied and removed with that. Throws a CgroupInUse.
 */
export function refuseCgroupInUse(plan: CgroupPlan): void {
  refuseInUse(plan.directories.map(({ directory }) => directory).filter(exists));
}

function refuseInUse(directories: readonly string[]): void {
  const count = membersOf(directories).size;
  if (count > 0) {
    throw new CgroupInUse(`container's cgroup is not empty: ${count} process(es) found in ${directories[0]}`, {
      hint: "choose another 'cgroupsPath'",
    });
  }
  // Nothing could run in it, and whoever has frozen it may mean to keep it.
  const frozen = directories.find((directory) =>
    ["freezer.self_freezing", "cgroup.freeze"].some((file) => readIfAlive(`${directory}/${file}`)?.trim() === "1"),
  );
  if (frozen === undefined) return;
  throw new CgroupInUse(`container's cgroup unexpectedly frozen: ${frozen}`, {
    hint: "thaw it, or choose another 'cgroupsPath'",
  });
}

function removeQuietly(directory: string): void {
  try {
    removeDirectory(directory);
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}

/**
 * A cpuset of version 1 is born empty, and takes no process before it has CPUs and memory nodes: they are the parent's. A
 * parent that has to be given them, too, hands them on to what is made in it from then on: that is far cheaper.
 * Returns what the cgroup has then.
 */
function inherit(mountpoint: string, path: string, file: string): string {
  const own = readText(`${mountpoint}${path}/${file}`).trim();
  if (own !== "" || path === "") return own;
  const parent = ancestorsOf(path).at(-1) ?? "";
  const wasEmpty = parent !== "" && readText(`${mountpoint}${parent}/${file}`).trim() === "";
  const inherited = inherit(mountpoint, parent, file);
  if (wasEmpty) tryWrite(`${mountpoint}${parent}/cgroup.clone_children`, "1");
  writeKernelFile(`${mountpoint}${path}/${file}`, inherited);
  return inherited;
}

/** The cgroup's directory in the unified hierarchy. */
function unifiedDirectoryOf({ layout, directories }: CgroupPlan): PlannedDirectory | undefined {
  return layout === "v2" ? directories[0] : directories.find(({ unified }) => unified);
}

/** Why a controller could not be handed down, by its name. */
type Refusals = ReadonlyMap<string, string>;

/** Has the cgroups above hand controllers down, if they do not yet. It matters what was refused if the controller is written to. */
function enableControllers(plan: CgroupPlan): Refusals {
  const refusals = new Map<string, string>();
  const directory = unifiedDirectoryOf(plan);
  if (plan.enable.length === 0 || directory === undefined) return refusals;
  const has = new Set(readText(`${directory.directory}/cgroup.controllers`).trim().split(" "));
  if (directory.controllers.every((name) => has.has(name))) return refusals;
  for (const { file, value } of plan.enable) {
    if (tryWrite(file, value) === 0) continue;
    // One that is refused takes the others with it: each by itself.
    for (const one of value.split(" ")) {
      const result = tryWrite(file, one);
      if (result === 0 || refusals.has(one.slice(1))) continue;
      // Who may not write here may still be given what was enabled by somebody else.
      if ((readIfAlive(file) ?? "").trim().split(" ").includes(one.slice(1))) continue;
      refusals.set(one.slice(1), `writing '${one}' to ${file} gives ${errnoName(-result)}`);
    }
  }
  return refusals;
}

/** Changes the limits of a cgroup that is there. Throws a Failure at one that was asked for; returns warnings about others. */
export function updateCgroup(plan: CgroupPlan): string[] {
  if (plan.layout !== "v2") joinMissing(plan);
  return setLimits(plan, plan.writes, enableControllers(plan), false);
}

/** How often processes are looked for that were born while others were moved. */
const JOIN_ROUNDS = 16;

/** A hierarchy that the cgroup was not made in, because nothing was limited there (`cpuset`), is joined by its processes now. */
function joinMissing(plan: CgroupPlan): void {
  const missing = plan.directories.filter(({ directory }) => !exists(directory));
  if (missing.length === 0) return;
  createCgroup({ ...plan, directories: missing, writes: [] });
  const directories = missing.map(({ directory }) => directory);
  for (let round = 0; round < JOIN_ROUNDS; round++) {
    const joined = membersOf(directories);
    const outside = processesIn(plan.path).filter((pid) => !joined.has(pid));
    if (outside.length === 0) return;
    for (const pid of outside) for (const directory of directories) moveIfAlive(directory, pid);
  }
}

function moveIfAlive(directory: string, pid: number): void {
  try {
    writeKernelFile(`${directory}/cgroup.procs`, `${pid}`);
  } catch (error) {
    if (!isErrno(error, "ESRCH")) throw error;
  }
}

/** Limits and, with version 2, the guard of devices. Returns warnings. */
function setLimits(plan: CgroupPlan, writes: readonly PlannedWrite[], refusals: Refusals, isNew: boolean): string[] {
  const [only] = plan.directories;
  if (plan.layout !== "v2" || only === undefined) return writeLimits(writes, refusals);
  // All files of version 2 lie in one directory. In version 1 they are too few a directory for opening it to pay.
  using directory = openHost(only.directory, O_RDONLY | O_DIRECTORY);
  const from = { fd: directory.fd, prefix: `${only.directory}/` };
  const warnings = writeLimits(writes, refusals, from);
  if (plan.devicesProgram !== undefined) warnings.push(...guardDevices(directory.fd, plan.devicesProgram, isNew));
  return warnings;
}

/** From which open directory files are opened, and what its path is. */
interface From {
  readonly fd: number;
  readonly prefix: string;
}
const FROM_ROOT: From = { fd: AT_FDCWD, prefix: "" };

function writeLimits(writes: readonly PlannedWrite[], refusals: Refusals, from = FROM_ROOT): string[] {
  const warnings: string[] = [];
  // Some limits bound each other (memory, and memory with swap): what a raised one refuses is taken after the other.
  const refused: PlannedWrite[] = [];
  writeEach(from, writes, (write, result) => {
    if (result === -EINVAL) refused.push(write);
    else report(write, result, refusals, warnings);
  });
  writeEach(from, refused, (write, result) => report(write, result, refusals, warnings));
  return warnings;
}

/** Writes in order; consecutive writes to one file share its descriptor. `failed` gets `-errno`. */
function writeEach(
  from: From,
  writes: readonly PlannedWrite[],
  failed: (write: PlannedWrite, result: number) => void,
): void {
  let path: string | undefined;
  let fd = -1;
  try {
    for (const write of writes) {
      if (path !== write.file) {
        if (fd >= 0) attempt("close", fd);
        path = write.file;
        fd = attempt("openat", from.fd, path.slice(from.prefix.length), O_WRONLY | O_CLOEXEC, 0);
      }
      const result = fd < 0 ? fd : writeOnce(fd, write.value);
      if (result < 0) failed(write, result);
    }
  } finally {
    if (fd >= 0) attempt("close", fd);
  }
}

/** A write that could not be made: another in its place, nothing, a warning, or a Failure. */
function report(write: PlannedWrite, result: number, refusals: Refusals, warnings: string[]): void {
  let code = result;
  if (code === -ENOENT && write.instead !== undefined) {
    code = tryWrite(write.instead.file, write.instead.value);
    if (code === 0) return;
  }
  if (code === -ENOENT && write.optional === true) return;
  const error = errnoName(-code);
  const refusal = code === -ENOENT ? refusals.get(write.controller) : undefined;
  const message =
    refusal === undefined
      ? `cannot write '${write.value}' to ${write.file}: ${error}`
      : `the '${write.controller}' controller cannot be handed down to the cgroup: ${refusal}`;
  const hint = refusal === undefined ? HINTS[error] : REFUSAL_HINT;
  if (write.asked) throw new Failure(message, { hint: hint ?? "leave this limit out" });
  if (!warnings.includes(message)) warnings.push(message);
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: "this user may not change the cgroup",
  EBUSY: "more than that is in use already",
  EINVAL: "the kernel does not take this value: compare it with the limits of the cgroup above",
  ENOENT: "this kernel does not have this limit, or its controller could not be enabled: leave the limit out",
  EPERM: "the cgroup above does not allow it, or this user may not",
  ERANGE: "the value is out of the kernel's range",
};

const REFUSAL_HINT =
  "a cgroup with processes of its own hands nothing down (EBUSY), and only who owns it may have it do so: move them, or leave the limit out";

/** A cgroup: as planned, or by its path (`"/mycontainer/alpine-c4a2f1"`). */
export type CgroupReference = CgroupPlan | string;

/** Puts a process into the cgroup, in all hierarchies. Throws KernelError: ESRCH if it has ended. */
export function addProcess(cgroup: CgroupReference, pid: number): void {
  if (typeof cgroup !== "string") {
    for (const { directory } of cgroup.directories) writeKernelFile(`${directory}/cgroup.procs`, `${pid}`);
    return;
  }
  const joined = mountpointsOf(detectLayout())
    .map((mountpoint) => `${mountpoint}${checkCgroupPath(cgroup)}/cgroup.procs`)
    .filter((file) => writeIfThere(file, `${pid}`));
  if (joined.length === 0) throw new Failure(`there is no cgroup ${cgroup}`);
}

function writeIfThere(file: string, value: string): boolean {
  try {
    writeKernelFile(file, value);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** The descriptor for clone3(2) to have a process born in the cgroup of the unified hierarchy; undefined where there is none. */
export function openForClone(cgroup: CgroupReference): Handle | undefined {
  if (typeof cgroup !== "string") {
    const planned = unifiedDirectoryOf(cgroup);
    return planned === undefined ? undefined : openHost(planned.directory, O_PATH | O_DIRECTORY);
  }
  const layout = detectLayout();
  const unified = unifiedOf(layout);
  if (unified === undefined) return undefined;
  const directory = `${unified.root}${checkCgroupPath(cgroup)}`;
  // Of a hybrid layout, a cgroup that others have made need not be in all hierarchies.
  return layout.kind === "hybrid" && !exists(directory) ? undefined : openHost(directory, O_PATH | O_DIRECTORY);
}

/**
 * Opens what `joinCgroup` needs, in all hierarchies of version 1; for the unified one there is `openForClone`. To be opened by the
 * supervisor before fork(2): it is the opener's rights that count.
 */
export function openForJoin(cgroup: CgroupReference): Handle[] {
  if (typeof cgroup !== "string")
    return cgroup.layout === "v2"
      ? []
      : cgroup.directories
          .filter(({ unified }) => unified !== true)
          .map(({ directory }) => openHost(`${directory}/tasks`, O_WRONLY));
  const layout = detectLayout();
  if (layout.kind === "v2") return [];
  return mountpointsOf(layout)
    .map((mountpoint) => `${mountpoint}${checkCgroupPath(cgroup)}/tasks`)
    .filter(exists)
    .map((file) => openHost(file, O_WRONLY));
}

/**
 * Puts this process, which must have one thread only, into the cgroup that was opened, and closes the handles. A thread
 * that moves itself (`0`) needs no lock of the kernel's against forks; any other move waits for an RCU grace period,
 * which takes longer than all the rest of making a container: kernel/cgroup/cgroup.c, cgroup_procs_write_start().
 */
export function joinCgroup(handles: readonly Handle[]): void {
  for (const handle of handles) {
    writeAll(handle.fd, "0", "tasks of the cgroup");
    handle.close();
  }
}

/**
 * Removes the cgroup from all hierarchies, with the cgroups in it; processes in it are killed. That it is not there (any
 * more) is fine. Throws a Failure if something in it cannot be ended. False if it was left to whoever is in it.
 * @param isOurs asked where something is still in it: whether that may be killed
 */
export function destroyCgroup(path: string, isOurs: () => boolean = () => true): boolean {
  const layout = detectLayout();
  const busy = directoriesOf(layout, checkCgroupPath(path)).filter((directory) => !isRemoved(directory));
  if (busy.length === 0) return true;
  if (!isOurs()) return false;
  emptyAndRemove(layout, path, busy);
  return true;
}
