/**
 * Who may divide a container's cgroup up into cgroups of its own: runtime-spec config-linux.md#cgroup-ownership,
 * Documentation/admin-guide/cgroup-v2.rst, "Delegation".
 */
import { isErrno } from "../linux/error.ts";
import { changeOwner, readTextIfThere } from "../linux/hostpath.ts";

/** Of kernels that do not tell (before 4.15). */
const DELEGATED_FILES: readonly string[] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];
const DELEGATE_LIST = "/sys/kernel/cgroup/delegate";
const KEEP = -1;

/** The files of a cgroup that go with it, by the kernel's list. Pure. */
export function delegatedFiles(list: string | undefined): readonly string[] {
  const names = (list ?? "").split("\n").filter((name) => name !== "" && !name.includes("/"));
  return names.length === 0 ? DELEGATED_FILES : names;
}

/** Gives a cgroup of version 2, a directory of the host's, to a user. What this kernel does not have is passed over. */
export function giveAway(directory: string, uid: number): void {
  changeOwner(directory, uid, KEEP);
  for (const file of delegatedFiles(readTextIfThere(DELEGATE_LIST))) {
    try {
      changeOwner(`${directory}/${file}`, uid, KEEP);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
}
