/**
 * Pipes that become a program's standard streams are given to the program's user. /dev/stdout and /dev/stderr, to which
 * images send what they log, open them once more by name (proc_pid_fd(5)), and that asks for rights as with any file: to a user
 * other than root a pipe of root's is closed. Files and terminals of the host's stay whose they are.
 */
import { attempt } from "../linux/error.ts";
import { parseStatx, STATX_WANTED, statxWords } from "../linux/status.ts";

const AT_EMPTY_PATH = 0x1000;
const STREAMS = [0, 1, 2] as const;

/**
 * @param uid as our own user namespace has it. Where it may not be given away, as by users other than root, it stays as it is
 */
export function giveStreams(uid: number, fds: readonly number[] = STREAMS): void {
  const buffer = statxWords();
  for (const fd of fds) {
    // One that our caller has closed is none.
    if (attempt("statx", fd, "", AT_EMPTY_PATH, STATX_WANTED, buffer) < 0) continue;
    const { type, uid: owner } = parseStatx(buffer);
    if (type === "fifo" && owner !== uid) attempt("fchown", fd, uid, -1);
  }
}
