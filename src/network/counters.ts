/**
 * What the interfaces of a network namespace have carried.
 */

import { isErrno } from "../linux/error.ts";
import { readText } from "../linux/hostpath.ts";

export interface InterfaceCounters {
  readonly name: string;
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDropped: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDropped: number;
}

/** The interfaces, but for the loopback, of the namespace that a process is in; none if it has ended. */
export function interfaceCounters(pid: number): InterfaceCounters[] {
  try {
    return parseNetDev(readText(`/proc/${pid}/net/dev`)).filter(({ name }) => name !== "lo");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH", "EINVAL")) return [];
    throw error;
  }
}

/** proc_pid_net(5): two lines of headings, then `name: ` with eight numbers of what came and eight of what went. Pure. */
export function parseNetDev(text: string): InterfaceCounters[] {
  const counters: InterfaceCounters[] = [];
  for (const line of text.split("\n").slice(2)) {
    const colon = line.lastIndexOf(":");
    if (colon < 0) continue;
    const numbers = line
      .slice(colon + 1)
      .split(" ")
      .filter((word) => word !== "")
      .map(Number);
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = numbers;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = numbers.slice(8);
    const name = line.slice(0, colon).trim();
    counters.push({ name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped });
  }
  return counters;
}
