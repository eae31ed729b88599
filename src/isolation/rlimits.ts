/**
 * Resource limits of processes: getrlimit(2), `--ulimit`, `process.rlimits` of the specification.
 */
import { Failure } from "../failure.ts";
import { KernelError } from "../linux/error.ts";
import { getLimit, setLimit } from "../linux/process.ts";
import type { Int64, Rlimit } from "../spec/config.ts";
import { RLIMIT_NAMES, rlimitNumber } from "../spec/rlimits.ts";

const PREFIX = "RLIMIT_";
/** RLIM_INFINITY of the kernel's 64-bit limits. */
export const UNLIMITED = 0xffffffffffffffffn;
const EPERM = 1;

/**
 * The limit that a `--ulimit` means: `NAME=SOFT[:HARD]`, with the name as of ulimit(1), in any case (`nofile`), and values in
 * the limit's own unit, or `-1` or `unlimited` for none. Without a hard limit it is the soft one. Throws a Failure.
 */
export function parseUlimit(text: string): Rlimit {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0));
  const values = text.slice(equals + 1).split(":");
  if (equals < 1 || values.length > 2) {
    throw new Failure(`--ulimit: '${text}' is not of the form NAME=SOFT[:HARD]`, {
      hint: "as in '--ulimit nofile=1024:2048'",
    });
  }
  const type = PREFIX + name.toUpperCase();
  if (rlimitNumber(type) === undefined) {
    throw new Failure(`--ulimit: unknown limit '${name}'`, {
      hint: `known are ${RLIMIT_NAMES.join(", ").toLowerCase()}`,
    });
  }
  const soft = parseValue(values[0] ?? "", text);
  const hard = values[1] === undefined ? soft : parseValue(values[1], text);
  if (soft > hard) throw new Failure(`--ulimit: in '${text}' the soft limit is above the hard one`);
  return { type, soft: compact(soft), hard: compact(hard) };
}

function parseValue(value: string, whole: string): bigint {
  if (value === "-1" || value.toLowerCase() === "unlimited") return UNLIMITED;
  const parsed = /^[0-9]{1,20}$/.test(value) ? BigInt(value) : UNLIMITED + 1n;
  if (parsed <= UNLIMITED) return parsed;
  throw new Failure(`--ulimit: '${value}' in '${whole}' is not a limit`, {
    hint: "give a whole number from 0 on, or 'unlimited'",
  });
}

/** As the types of the specification have it: a number where it is safe, else a BigInt. */
function compact(value: bigint): Int64 {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** -1 is none, as in the kernel's own encoding. */
function unsigned(value: Int64): bigint {
  return BigInt.asUintN(64, BigInt(value));
}

/**
 * Raises the hard limits of a child to where it may set its own: in a user namespace it may not raise them itself. What may not be
 * raised from here either is told by `applyRlimits`, which follows in the child.
 */
export function raiseHardLimits(pid: number, rlimits: readonly Rlimit[]): void {
  for (const { type, hard } of rlimits) {
    const resource = rlimitNumber(type);
    if (resource === undefined) continue;
    const current = getLimit(resource, pid);
    const wanted = unsigned(hard);
    if (wanted > current.hard) setLimit(resource, current.soft, wanted, pid);
  }
}

/**
 * Sets limits of this process. Where it may not raise one (without CAP_SYS_RESOURCE, or past fs.nr_open), the limit is set as
 * high as it may be.
 * @returns a warning for each limit that is lower than asked for
 */
export function applyRlimits(rlimits: readonly Rlimit[]): string[] {
  const warnings: string[] = [];
  for (const { type, soft, hard } of rlimits) {
    const warning = applyRlimit(type, unsigned(soft), unsigned(hard));
    if (warning !== undefined) warnings.push(warning);
  }
  return warnings;
}

function applyRlimit(type: string, soft: bigint, hard: bigint): string | undefined {
  const resource = rlimitNumber(type);
  if (resource === undefined) throw new Failure(`process.rlimits: unknown type '${type}'`);
  const result = setLimit(resource, soft, hard);
  if (result === 0) return undefined;
  if (result !== -EPERM) throw new KernelError("prlimit64", -result, type);
  const clamped = clampTo(getLimit(resource).hard, soft, hard);
  const again = setLimit(resource, clamped.soft, clamped.hard);
  if (again < 0) throw new KernelError("prlimit64", -again, type);
  return `${type} may not be raised to ${show(soft)}:${show(hard)} here: it is ${show(clamped.soft)}:${show(clamped.hard)}`;
}

/** The closest to what is asked for under a hard limit that stays. */
export function clampTo(most: bigint, soft: bigint, hard: bigint): { soft: bigint; hard: bigint } {
  const least = (a: bigint, b: bigint) => (a < b ? a : b);
  const allowed = least(hard, most);
  return { soft: least(soft, allowed), hard: allowed };
}

function show(value: bigint): string {
  return value === UNLIMITED ? "unlimited" : value.toString();
}
