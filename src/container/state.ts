/**
 * What is on disk about a container. `state.json` is the intent record: it is there before the first side effect, and says
 * all that is needed to undo what its supervisor may have done. Whoever supervises a container holds the lock of its directory.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { tryLock } from "../linux/flock.ts";
import {
  listDirectory,
  makeDirectories,
  makeDirectory,
  makeLink,
  O_DIRECTORY,
  O_RDONLY,
  openHost,
  readLink,
  readTextIfThere,
  removeFile,
  replaceFile,
  statusOf,
} from "../linux/hostpath.ts";
import { startTimeOf } from "../linux/process.ts";
import { statusOfFd } from "../linux/status.ts";
import type { ReservedPort } from "../network/ports.ts";
import type { Healthcheck } from "../spec/image.ts";
import { containerPaths, RESERVED_NAMES, type StateRoot } from "./paths.ts";

/** A process, named for good: pids are used again, pairs of pid and start time are not. */
export interface ProcessName {
  readonly pid: number;
  /** Clock ticks since boot: proc_pid_stat(5), field 22. */
  readonly startTime: number;
}

export interface Exit {
  /** As a shell tells it: the status, or 128 and the signal. */
  readonly code: number;
  readonly outOfMemory: boolean;
  readonly finishedMs: number;
}

export interface ContainerState {
  readonly version: 1;
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageDigest: string;
  readonly command: readonly string[];
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly status: "creating" | "created" | "running" | "exited";
  /** While it is made again: what it is once more if that fails. */
  readonly before?: "created" | "exited";
  /** Who makes and watches the container. */
  readonly supervisor: ProcessName;
  /** The container's first process. */
  readonly init?: ProcessName;
  readonly exit?: Exit;
  /** Below the root of each hierarchy. */
  readonly cgroupPath: string;
  /** Whether it is attached to a bridge: a lease, links and rules are to be undone. */
  readonly hasNetwork: boolean;
  /** What the container's supervisor does at its end. */
  readonly removeAtEnd: boolean;
  readonly detached: boolean;
  readonly terminal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Which filter of system calls its programs have; a profile is in config.json. */
  readonly seccomp: "none" | "default" | "profile";
  readonly stopSignal: string;
  readonly stopTimeoutSeconds: number;
  /** Those that are published. */
  readonly ports?: readonly ReservedPort[];
  /** What its image and `--expose` say that it listens on: `80/tcp`. */
  readonly exposed?: readonly string[];
  /** Only where there is one. */
  readonly healthcheck?: Healthcheck;
}

/** Whether nothing of it is in the kernel, and nobody is to be there for it. */
export const isIdle = ({ status }: Pick<ContainerState, "status">): boolean =>
  status === "exited" || status === "created";

const ID_FORM = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/** Whether a text may be a container's id or name: the one validator of both (security: it becomes part of paths). */
export function isValidId(text: string): boolean {
  return ID_FORM.test(text) && !RESERVED_NAMES.has(text);
}

/** The process as a name, or undefined if it is not running. */
export function nameProcess(pid: number): ProcessName | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export function isRunning(process: ProcessName | undefined): boolean {
  return process !== undefined && startTimeOf(process.pid) === process.startTime;
}

/** Writes the state. `durable` states survive a loss of power; those of containers that are gone then need not. */
export function writeState(root: StateRoot, state: ContainerState, options: { durable: boolean }): void {
  replaceFile(containerPaths(root, state.id).state, JSON.stringify(state), options);
}

/** The state of a container, or undefined if there is none (or none yet). */
export function readState(root: StateRoot, id: string): ContainerState | undefined {
  const text = readTextIfThere(containerPaths(root, id).state);
  if (text === undefined || text === "") return undefined;
  try {
    const state = JSON.parse(text) as ContainerState;
    const name = readTextIfThere(containerPaths(root, id).name);
    return name === undefined ? state : { ...state, name };
  } catch (error) {
    throw new Failure(`the state of container '${id}' cannot be read`, {
      hint: `'mycontainer rm --force ${id}' removes it`,
      cause: error,
    });
  }
}

/** The ids of all directories of containers, in no order. */
export function listIds(root: StateRoot): string[] {
  return listDirectory(root.path)
    .filter((entry) => entry.isDirectory && isValidId(entry.name))
    .map((entry) => entry.name);
}

/** Makes a container's directory and takes its lock; undefined if the id is taken. */
export function claim(root: StateRoot, id: string): Handle | undefined {
  const { directory } = containerPaths(root, id);
  try {
    makeDirectory(directory);
  } catch (error) {
    if (isErrno(error, "EEXIST")) return undefined;
    if (!isErrno(error, "ENOENT")) throw error;
    makeDirectories(root.path);
    return claim(root, id);
  }
  return lockDirectory(directory);
}

/**
 * Takes the lock of a container's directory, if it is there and nobody supervises the container.
 * The caller may then change everything in it.
 */
export function lockDirectory(directory: string): Handle | undefined {
  let handle: Handle;
  try {
    handle = openHost(directory, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
  // Whoever removed the directory while it was being opened had the lock: then it is not the one that is there now.
  if (tryLock(handle.fd, directory) && statusOf(directory)?.inode === statusOfFd(handle.fd).inode) return handle;
  handle.close();
  return undefined;
}

/** Gives a name to an id. Returns the id that has it already, if one does. */
export function claimName(root: StateRoot, name: string, id: string): string | undefined {
  const path = `${root.names}/${name}`;
  try {
    makeLink(id, path);
    return undefined;
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      makeDirectories(root.names);
      return claimName(root, name, id);
    }
    if (!isErrno(error, "EEXIST")) throw error;
    return readLink(path) ?? claimName(root, name, id);
  }
}

/** Frees a name, if it is this id's. */
export function releaseName(root: StateRoot, name: string, id: string): void {
  const path = `${root.names}/${name}`;
  if (readLink(path) === id) removeFile(path);
}

/** Frees all names of an id whose own name is not known. */
export function releaseNamesOf(root: StateRoot, id: string): void {
  for (const { name } of listDirectory(root.names)) releaseName(root, name, id);
}

/** The id that a user means: a name, an id, or the beginning of exactly one id. */
export function findContainer(root: StateRoot, text: string): string {
  if (isValidId(text)) {
    const named = readLink(`${root.names}/${text}`);
    if (named !== undefined) return named;
    if (statusOf(containerPaths(root, text).directory) !== undefined) return text;
    const matches = listIds(root).filter((id) => id.startsWith(text) || id.slice(id.lastIndexOf("-") + 1) === text);
    const [only] = matches;
    if (matches.length === 1 && only !== undefined) return only;
    if (matches.length > 1) {
      throw new Failure(`'${text}' could be ${matches.slice(0, 4).join(" or ")}`, { hint: "give more of the id" });
    }
  }
  throw new Failure(`no container '${text}' here`, { hint: "'mycontainer ps -a' lists those that there are" });
}
