/**
 * What ps(1) shows of this process. A fork that goes on running our code would else show the command line that it was forked
 * from, with all that a user has written there.
 */
import { addressOf, utf8 } from "./door.ts";
import { attempt } from "./error.ts";
import { getpid, PR, prctl, statFields } from "./process.ts";

/** Fields 48 and 49 of proc_pid_stat(5), counted from the third: where the arguments begin and end. */
const ARG_START = 45;
const ARG_END = 46;

/** Overwrites the process's arguments and its name (prctl(2), PR_SET_NAME: 15 bytes of it). */
export function setTitle(title: string): void {
  const name = new Uint8Array(16);
  name.set(utf8(title).subarray(0, 15));
  prctl(PR.setName, addressOf(name));
  const fields = statFields("self");
  const start = Number(fields?.[ARG_START] ?? 0);
  const length = Number(fields?.[ARG_END] ?? 0) - start;
  if (start === 0 || length <= 0) return;
  const text = new Uint8Array(length);
  text.set(utf8(title).subarray(0, length - 1));
  const local = new BigUint64Array([BigInt(addressOf(text)), BigInt(length)]);
  const remote = new BigUint64Array([BigInt(start), BigInt(length)]);
  // Writing by the kernel's hand: JavaScript has no pointers.
  attempt("process_vm_writev", getpid(), local, 1, remote, 1, 0);
}
