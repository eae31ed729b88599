/**
 * `process.oomScoreAdj`: proc_pid_oom_score_adj(5). It is written from the host's side: the file of a process that nobody may
 * look into belongs to the host's root, whom the root of a user namespace is not.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { writeKernelFile } from "../linux/hostpath.ts";

/**
 * Sets the score of a process; its children inherit it. Throws a Failure.
 * @param who a pid, or `self`
 */
export function setOomScore(who: number | "self", score: number): void {
  try {
    writeKernelFile(`/proc/${who}/oom_score_adj`, String(score));
  } catch (error) {
    if (!isErrno(error, "EACCES", "EPERM")) throw error;
    throw new Failure(`setting the OOM score to ${score}: ${error.code}`, {
      hint: "lowering it takes CAP_SYS_RESOURCE",
      cause: error,
    });
  }
}
