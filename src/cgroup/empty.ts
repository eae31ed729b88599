/**
 * Emptying a cgroup that does not want to go: killing what is in it, and removing it with what is nested in it.
 */
import { Failure } from "../failure.ts";
import { monotonicMs } from "../linux/clock.ts";
import { errnoName } from "../linux/errno.ts";
import { attempt } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { waitReadable } from "../linux/poll.ts";
import { getpid, openPidfd, sendSignal } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { awaitEvent } from "./events.ts";
import { tryWrite } from "./file.ts";
import { freezeDirectory, thawDirectory } from "./freeze.ts";
import { type CgroupLayout, directoryOf, mountpointsOf } from "./layout.ts";
import { membersOf, nestedIn } from "./members.ts";

/** How long killed processes are waited for: far more than a kernel needs. */
const TIMEOUT_MS = 10_000;
/** How often the kernel is asked again whether a cgroup is free, where it has no event for that: after 1, 2, 4... ms. */
const MAX_PAUSE_MS = 64;
const AT_REMOVEDIR = 0x200;
const [ENOENT, EBUSY] = [2, 16];

/** Everything that may be of the cgroup, in all hierarchies. */
export function directoriesOf(layout: CgroupLayout, path: string): string[] {
  return mountpointsOf(layout).map((root) => `${root}${path}`);
}

/** Tries to remove a cgroup. True if it is not there any more. */
export function isRemoved(directory: string): boolean {
  const result = attempt("unlinkat", AT_FDCWD, directory, AT_REMOVEDIR);
  return result === 0 || result === -ENOENT;
}

/** Kills what is in the cgroup and removes the directories of it that are still there. */
export function emptyAndRemove(layout: CgroupLayout, path: string, directories: readonly string[]): void {
  const deadline = monotonicMs() + TIMEOUT_MS;
  if (layout.kind !== "v2" || !killAtOnce(`${layout.root}${path}`))
    killOneByOne(directoryOf(layout, "freezer", path), layout.kind, directories, deadline);
  for (const directory of directories) removeNested(directory, deadline);
}

/** Version 2 from 5.14 on: one request kills all, forking or frozen as they may be. False if the kernel cannot do that. */
function killAtOnce(directory: string): boolean {
  if (tryWrite(`${directory}/cgroup.kill`, "1") < 0) return false;
  awaitEvent(directory, "populated", 0, TIMEOUT_MS);
  return true;
}

/** Frozen processes cannot fork away from under us; a process that came meanwhile is found in the next round. */
function killOneByOne(
  freezer: string | undefined,
  kind: CgroupLayout["kind"],
  directories: readonly string[],
  deadline: number,
): void {
  const version = kind === "v2" ? 2 : 1;
  const own = getpid();
  for (;;) {
    const pids = [...membersOf(directories)].filter((pid) => pid !== own);
    if (pids.length === 0) return;
    if (monotonicMs() >= deadline) throw new Failure(`processes ${pids.join(", ")} in ${directories[0]} do not end`);
    if (freezer !== undefined) freezeDirectory(freezer, version);
    using stack = new DisposableStack();
    let killed: Handle[] = [];
    try {
      killed = killMembers(pids, directories, stack);
    } finally {
      if (freezer !== undefined) thawDirectory(freezer, version);
    }
    for (const pidfd of killed) waitReadable(pidfd.fd, Math.max(0, deadline - monotonicMs()));
  }
}

/**
 * Kills by descriptor what is still a member after the descriptor was opened: a pid alone may have changed hands.
 * @param stack closes the descriptors
 */
function killMembers(pids: readonly number[], directories: readonly string[], stack: DisposableStack): Handle[] {
  const opened: [pid: number, handle: Handle][] = [];
  for (const pid of pids) {
    const handle = openPidfd(pid);
    if (handle !== undefined) opened.push([pid, stack.use(handle)]);
  }
  const members = membersOf(directories);
  const killed = opened.filter(([pid]) => members.has(pid)).map(([, handle]) => handle);
  for (const handle of killed) sendSignal(handle.fd, SIG.KILL);
  return killed;
}

/** Removes the innermost first. A process that has ended is in its cgroup for a moment more, for which there is no event. */
function removeNested(directory: string, deadline: number): void {
  for (const nested of nestedIn(directory)) removeNested(nested, deadline);
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const result = attempt("unlinkat", AT_FDCWD, directory, AT_REMOVEDIR);
    if (result === 0 || result === -ENOENT) return;
    if (result !== -EBUSY || monotonicMs() >= deadline)
      throw new Failure(`cannot remove the cgroup ${directory}: ${errnoName(-result)}`, {
        hint: `the processes listed in its file cgroup.procs, if any, keep it`,
      });
    pause(pauseMs);
  }
}

/** Waits on no descriptor at all. */
function pause(durationMs: number): void {
  waitReadable(-1, durationMs);
}
