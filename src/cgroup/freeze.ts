/**
 * Stopping all processes of a cgroup where they are: `cgroup.freeze` of version 2, the freezer controller of version 1.
 */
import { Failure } from "../failure.ts";
import { monotonicMs } from "../linux/clock.ts";
import { KernelError } from "../linux/error.ts";
import { waitReadable } from "../linux/poll.ts";
import { awaitEvent } from "./events.ts";
import { readIfAlive, tryWrite } from "./file.ts";
import { detectLayout, directoryOf } from "./layout.ts";
import { checkCgroupPath } from "./path.ts";

const TIMEOUT_MS = 10_000;
/** Version 1 has no event for "frozen": its state is asked for again after 1, 2, 4... ms, at most. */
const MAX_PAUSE_MS = 32;

/** Begins to freeze; 0 or `-errno`. */
export function freezeDirectory(directory: string, version: 1 | 2): number {
  return version === 2 ? tryWrite(`${directory}/cgroup.freeze`, "1") : tryWrite(`${directory}/freezer.state`, "FROZEN");
}

export function thawDirectory(directory: string, version: 1 | 2): number {
  return version === 2 ? tryWrite(`${directory}/cgroup.freeze`, "0") : tryWrite(`${directory}/freezer.state`, "THAWED");
}

interface Freezer {
  readonly directory: string;
  readonly version: 1 | 2;
}

function findFreezer(path: string): Freezer | undefined {
  const layout = detectLayout();
  const directory = directoryOf(layout, "freezer", checkCgroupPath(path));
  return directory === undefined ? undefined : { directory, version: layout.kind === "v2" ? 2 : 1 };
}

function freezerOf(path: string): Freezer {
  const freezer = findFreezer(path);
  if (freezer === undefined)
    throw new Failure("cannot pause: this host has no 'freezer' controller of cgroups", {
      hint: "mount it below /sys/fs/cgroup, or use cgroups version 2",
    });
  return freezer;
}

/** Freezes the cgroup at `path`, and waits until all of its processes stand. Throws a Failure if they do not. */
export function freeze(path: string): void {
  const freezer = freezerOf(path);
  check(freezeDirectory(freezer.directory, freezer.version), freezer);
  if (awaitFrozen(freezer)) return;
  thawDirectory(freezer.directory, freezer.version);
  throw new Failure("cannot pause: some processes do not stand still", {
    hint: "a process waits for a device or a file system that does not answer: try again later",
  });
}

/** Lets the processes of the cgroup at `path` go on. */
export function thaw(path: string): void {
  const freezer = freezerOf(path);
  check(thawDirectory(freezer.directory, freezer.version), freezer);
}

/** Whether the cgroup is frozen or about to be. Where the host can freeze nothing, nothing is. */
export function isFrozen(path: string): boolean {
  const freezer = findFreezer(path);
  if (freezer === undefined) return false;
  const { directory, version } = freezer;
  const state = readIfAlive(`${directory}/${version === 2 ? "cgroup.freeze" : "freezer.self_freezing"}`);
  return state?.trim() === "1";
}

/** Lets the processes of a cgroup go on, if they stand: a signal does not reach those that do, on version 1 not even SIGKILL. */
export function letGoOn(path: string): void {
  const layout = detectLayout();
  const directory = directoryOf(layout, "freezer", checkCgroupPath(path));
  if (directory !== undefined && isFrozen(path)) thaw(path);
}

function check(result: number, { directory }: Freezer): void {
  if (result < 0) throw new KernelError("write", -result, directory);
}

function awaitFrozen({ directory, version }: Freezer): boolean {
  if (version === 2) return awaitEvent(directory, "frozen", 1, TIMEOUT_MS);
  const deadline = monotonicMs() + TIMEOUT_MS;
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    // Reading the state is what has the kernel look again.
    if (readIfAlive(`${directory}/freezer.state`)?.trim() === "FROZEN") return true;
    if (monotonicMs() >= deadline) return false;
    waitReadable(-1, pauseMs);
  }
}
