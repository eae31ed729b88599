/**
 * What is on disk of a container of the OCI face: `<root>/<id>/` with `state.json`, a copy of its config.json, and the gate where
 * it waits for its start. `state.json` is the intent record: it is there before the first side effect and says what is to be
 * undone. It has a line of JSON for each time that it was written, of which the last counts: to add one costs less than to
 * replace the file. Whoever makes or removes a container holds the lock of its directory.
 */

import { isFrozen } from "../cgroup/freeze.ts";
import { isRunning, type ProcessName } from "../container/state.ts";
import { Failure } from "../failure.ts";
import type { RdtGroup } from "../isolation/intel-rdt.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import {
  appendLine,
  exists,
  listDirectory,
  makeDirectories,
  makeDirectory,
  O_DIRECTORY,
  O_RDONLY,
  openHost,
  readText,
  readTextIfThere,
  removeTree,
  statusOf,
} from "../linux/hostpath.ts";
import { geteuid } from "../linux/process.ts";
import { statusOfFd } from "../linux/status.ts";
import type { Spec } from "../spec/config.ts";
import { parseConfig } from "../spec/parse-config.ts";
import type { SystemdUnit } from "./systemd-cgroup.ts";

/** runtime.md#state. */
export type Status = "creating" | "created" | "running" | "paused" | "stopped";

export interface ContainerRecord {
  readonly version: 1;
  readonly id: string;
  readonly bundle: string;
  /** The absolute path of the root file system. */
  readonly rootfs: string;
  /** RFC 3339 with nanoseconds. */
  readonly created: string;
  /** Of whoever made it. */
  readonly uid: number;
  /** The first process; there is none before it is made. */
  readonly init?: ProcessName;
  /** Whether it was made to the end; else its maker is at work, or has died. */
  readonly complete: boolean;
  /** Below the root of each hierarchy; undefined without cgroups. */
  readonly cgroupPath?: string;
  /** The unit of systemd's that has the cgroup. */
  readonly systemd?: SystemdUnit;
  readonly rdt?: RdtGroup;
  /** Whether JSON.parse alone makes of the copy of config.json what was made of it when it was checked. */
  readonly plainConfig?: true;
}

export interface RecordPaths {
  readonly directory: string;
  readonly state: string;
  readonly config: string;
  readonly gate: string;
}

export function pathsOf(root: string, id: string): RecordPaths {
  const directory = `${root}/${id}`;
  return {
    directory,
    state: `${directory}/state.json`,
    config: `${directory}/config.json`,
    gate: `${directory}/start`,
  };
}

const ID_FORM = /^[\w+.][\w+.-]{0,254}$/;
const OTHERS_WRITE = 0o022;

/** The one validator of ids: they become part of paths. Throws a Failure. */
export function checkId(id: string): string {
  if (!ID_FORM.test(id) || id === "." || id === "..") {
    throw new Failure(`invalid container ID format: ${id}`, {
      hint: "letters, digits, '_', '+', '.' and '-', not beginning with '-', at most 255",
    });
  }
  return id;
}

/**
 * Whoever may write to the state of containers may become root by it: also by what is read there, which says what is to be
 * killed and removed. False if there is none.
 */
function checkRoot(root: string): boolean {
  const status = statusOf(root);
  if (status === undefined) return false;
  if (status.type !== "directory") throw new Failure(`${root} is no directory`);
  if (status.uid !== geteuid() || (status.mode & OTHERS_WRITE) !== 0) {
    throw new Failure(`${root} belongs to another user, or may be written to by others`, {
      hint: `chown it to yourself and 'chmod 700 ${root}', or name another with --root`,
    });
  }
  return true;
}

function openDirectory(path: string): Handle | undefined {
  try {
    return openHost(path, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** Whether the directory is still the one of that path: whoever has removed it had its lock. */
function isStillThere(handle: Handle, path: string): boolean {
  return statusOf(path)?.inode === statusOfFd(handle.fd, path).inode;
}

/** Makes a container's directory and takes its lock; undefined if the id is taken. */
export function claimId(root: string, id: string): Handle | undefined {
  const { directory } = pathsOf(root, id);
  if (!checkRoot(root)) makeDirectories(root);
  try {
    makeDirectory(directory);
  } catch (error) {
    if (isErrno(error, "EEXIST")) return undefined;
    throw error;
  }
  return tryLockRecord(root, id);
}

/** Waits for the lock of a container's directory; undefined if the container is gone. */
export function lockRecord(root: string, id: string): Handle | undefined {
  const { directory } = pathsOf(root, id);
  const handle = openDirectory(directory);
  if (handle === undefined) return undefined;
  lock(handle.fd, directory);
  if (isStillThere(handle, directory)) return handle;
  handle.close();
  return undefined;
}

/** Takes the lock if nobody has it. */
export function tryLockRecord(root: string, id: string): Handle | undefined {
  const { directory } = pathsOf(root, id);
  const handle = openDirectory(directory);
  if (handle === undefined) return undefined;
  if (tryLock(handle.fd, directory) && isStillThere(handle, directory)) return handle;
  handle.close();
  return undefined;
}

export function writeRecord(root: string, record: ContainerRecord): void {
  appendLine(pathsOf(root, record.id).state, JSON.stringify(record));
}

/** The record that a file's last whole line is: a full disk may have cut the one after it. Undefined if there is none. */
export function lastRecordOf(text: string): ContainerRecord | undefined {
  for (const line of text.split("\n").reverse()) {
    try {
      if (line !== "") return JSON.parse(line) as ContainerRecord;
    } catch {
      // It was cut.
    }
  }
  return undefined;
}

/** The record of a container, or undefined if there is none (or none yet). */
export function readRecord(root: string, id: string): ContainerRecord | undefined {
  const path = pathsOf(root, checkId(id)).state;
  if (!checkRoot(root)) return undefined;
  return lastRecordOf(readTextIfThere(path) ?? "");
}

/** The record of a container. Throws a Failure if there is none. */
export function recordOf(root: string, id: string): ContainerRecord {
  const record = readRecord(root, id);
  if (record === undefined) throw new Failure("container does not exist");
  return record;
}

/** The config that a container was made from; it was checked then. */
export function configOf(root: string, { id, plainConfig }: Pick<ContainerRecord, "id" | "plainConfig">): Spec {
  const text = readText(pathsOf(root, id).config);
  return plainConfig === true ? (JSON.parse(text) as Spec) : parseConfig(text);
}

export function removeRecord(root: string, id: string): void {
  removeTree(pathsOf(root, id).directory);
}

/** All ids, sorted. */
export function listIds(root: string): string[] {
  return listDirectory(root)
    .filter(({ name, isDirectory }) => isDirectory && ID_FORM.test(name))
    .map(({ name }) => name)
    .sort();
}

/** What a container is doing, as it really is. */
export function statusOfContainer(root: string, record: ContainerRecord): Status {
  if (!isRunning(record.init)) return record.complete || !isBeingMade(root, record.id) ? "stopped" : "creating";
  if (!record.complete) return "creating";
  if (record.cgroupPath !== undefined && isFrozen(record.cgroupPath)) return "paused";
  return exists(pathsOf(root, record.id).gate) ? "created" : "running";
}

/** Whether its maker is at work. */
function isBeingMade(root: string, id: string): boolean {
  const held = tryLockRecord(root, id);
  if (held === undefined) return true;
  held.close();
  return false;
}
