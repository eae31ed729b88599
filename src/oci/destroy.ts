/**
 * Undoing a container, from what its record says. Each step may have been done before, or never.
 */
import { destroyCgroup } from "../cgroup/apply.ts";
import { isFrozen, thaw } from "../cgroup/freeze.ts";
import { isRunning } from "../container/state.ts";
import { removeRdtGroup } from "../isolation/intel-rdt.ts";
import { waitReadable } from "../linux/poll.ts";
import { openPidfd, sendSignal } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import type { Globals } from "./globals.ts";
import { type ContainerRecord, listIds, readRecord, removeRecord } from "./record.ts";
import { stopSystemd } from "./systemd-cgroup.ts";

/** How long a killed process is waited for: far more than a kernel needs. */
const KILL_TIMEOUT_MS = 10_000;

/** Ends the first process, if it still runs. */
export function killInit({ init, cgroupPath }: Pick<ContainerRecord, "init" | "cgroupPath">): void {
  if (init === undefined || !isRunning(init)) return;
  using pidfd = openPidfd(init.pid);
  // Between the two looks the pid may have become somebody else's: the descriptor names one process for good.
  if (pidfd === undefined || !isRunning(init)) return;
  sendSignal(pidfd.fd, SIG.KILL);
  // What is frozen on cgroups of version 1 does not even take a SIGKILL.
  if (cgroupPath !== undefined && isFrozen(cgroupPath)) thaw(cgroupPath);
  waitReadable(pidfd.fd, KILL_TIMEOUT_MS);
}

/** Whether another container runs in the cgroup by now: it was free when this one had stopped. */
function isUsedByAnother(root: string, id: string, cgroupPath: string): boolean {
  return listIds(root).some((other) => {
    const record = other === id ? undefined : readRecord(root, other);
    return record?.cgroupPath === cgroupPath && isRunning(record.init);
  });
}

/** Ends what runs of the container, and gives back all that it has; the caller has its lock. */
export function destroy(
  { root }: Pick<Globals, "root">,
  record: Pick<ContainerRecord, "id"> & Partial<ContainerRecord>,
): void {
  killInit(record);
  const { id, cgroupPath } = record;
  const isFree = cgroupPath === undefined || destroyCgroup(cgroupPath, () => !isUsedByAnother(root, id, cgroupPath));
  // The unit of a cgroup that is another's by now is its as well.
  if (record.systemd !== undefined && isFree) stopSystemd(record.systemd);
  if (record.rdt !== undefined) removeRdtGroup(record.rdt);
  removeRecord(root, id);
}
