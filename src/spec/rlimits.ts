/**
 * `process.rlimits` of the specification (config.md#posix-process): what there is, and what of it is wrong.
 */
import { Failure } from "../failure.ts";
import type { Rlimit } from "./config.ts";
import { showValue } from "./json-path.ts";

/** By number, without `RLIMIT_`: include/uapi/asm-generic/resource.h; the same on x86_64 and aarch64. */
export const RLIMIT_NAMES: readonly string[] = [
  "CPU",
  "FSIZE",
  "DATA",
  "STACK",
  "CORE",
  "RSS",
  "NPROC",
  "NOFILE",
  "MEMLOCK",
  "AS",
  "LOCKS",
  "SIGPENDING",
  "MSGQUEUE",
  "NICE",
  "RTPRIO",
  "RTTIME",
];

const PREFIX = "RLIMIT_";

/** The number of a limit by the specification's name, `RLIMIT_NOFILE`; undefined if there is none of that name. */
export function rlimitNumber(type: string): number | undefined {
  const number = type.startsWith(PREFIX) ? RLIMIT_NAMES.indexOf(type.slice(PREFIX.length)) : -1;
  return number < 0 ? undefined : number;
}

/**
 * Refuses limits that the specification forbids: unknown or repeated types, soft above hard; -1 is none, as for the kernel.
 * @param at where they are, for messages
 */
export function checkRlimits(rlimits: readonly Rlimit[], at = "process.rlimits"): void {
  const seen = new Set<string>();
  for (const [index, { type, soft, hard }] of rlimits.entries()) {
    if (rlimitNumber(type) === undefined) throw new Failure(`${at}[${index}]: unknown type ${showValue(type)}`);
    if (seen.has(type)) throw new Failure(`${at}[${index}]: type '${type}' is named twice`);
    if (BigInt.asUintN(64, BigInt(soft)) > BigInt.asUintN(64, BigInt(hard))) {
      throw new Failure(`${at}[${index}]: the soft limit of ${type} is above the hard one`);
    }
    seen.add(type);
  }
}
