/**
 * `process.oomScoreAdj`: proc_pid_oom_score_adj(5). It is written from the host's side: the file of a process that nobody may
 * look into belongs to the host's root, whom the root of a user namespace is not.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { O_WRONLY, writeKernelFile } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";

/**
 * Sets the score of a process; its children inherit it. Throws a Failure.
 * @param who a pid, or `self`
 */
export function setOomScore(who: number | "self", score: number): void {
  setting(score, () => writeKernelFile(`/proc/${who}/oom_score_adj`, String(score)));
}

/** As `setOomScore` of this process, which the host's /proc, that is open, calls `self` in whatever namespaces it is. */
export function setOwnOomScore(proc: Handle, score: number): void {
  setting(score, () => {
    using file = callForHandle("openat", "/proc/self/oom_score_adj", proc.fd, "self/oom_score_adj", O_WRONLY, 0);
    writeAll(file.fd, String(score), "/proc/self/oom_score_adj");
  });
}

function setting(score: number, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!isErrno(error, "EACCES", "EPERM")) throw error;
    throw new Failure(`setting the OOM score to ${score}: ${error.code}`, {
      hint: "lowering it takes CAP_SYS_RESOURCE",
      cause: error,
    });
  }
}
