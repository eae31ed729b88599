/**
 * Descriptors that the program is given from our caller: `--preserve-fds`, and sockets by the protocol of systemd's socket
 * activation, sd_listen_fds(3).
 */

import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { isInherited } from "../linux/fd.ts";
import { getpid } from "../linux/process.ts";

const FIRST = 3;

export interface PassedDescriptors {
  /** How many, from 3 on. */
  readonly count: number;
  /** What the program is told of them, for its environment. */
  readonly variables: readonly string[];
}

/** The sockets come first, then what is preserved. Throws a Failure if one is not there. */
export function passedDescriptors(preserved: number): PassedDescriptors {
  const sockets = variable("LISTEN_PID") === String(getpid()) ? countOf(variable("LISTEN_FDS") ?? "") : 0;
  for (let fd = FIRST; fd < FIRST + sockets; fd++) {
    if (!isInherited(fd)) throw new Failure(`LISTEN_FDS is ${sockets}, and descriptor ${fd} is not open`);
  }
  checkPreserved(preserved, FIRST + sockets);
  if (sockets === 0) return { count: preserved, variables: [] };
  // The program is the first process of its own PID namespace.
  return { count: sockets + preserved, variables: [`LISTEN_FDS=${sockets}`, "LISTEN_PID=1"] };
}

/**
 * What our caller has not given would be one of ours, open while the image's paths are looked up (CVE-2024-21626). Throws a
 * Failure.
 */
export function checkPreserved(count: number, from: number = FIRST): void {
  for (let index = 0; index < count; index++) {
    if (!isInherited(from + index))
      throw new Failure(`unable to stat preserved-fd ${index} (of ${count}): no such descriptor`);
  }
}

/** 0 for what is no number. */
function countOf(text: string): number {
  return /^\d{1,4}$/.test(text) ? Number(text) : 0;
}
