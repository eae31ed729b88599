/**
 * Capabilities: capabilities(7), capset(2), prctl(2). Sets of them are masks: bit n is capability n.
 */
import { Failure } from "../failure.ts";
import { attempt, call, KernelError } from "../linux/error.ts";
import { PR, prctl } from "../linux/process.ts";
import { struct } from "../linux/struct.ts";
import { CAPABILITY_NAMES } from "../spec/capabilities.ts";
import type { Capabilities } from "../spec/config.ts";

export { CAPABILITY_NAMES };

/** What a container has unless asked otherwise: Docker's fourteen. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SYS_CHROOT",
  "CAP_MKNOD",
  "CAP_AUDIT_WRITE",
  "CAP_SETFCAP",
];

/** The number of a capability by its name in capitals, `CAP_KILL`; undefined if there is none of that name. */
export function capabilityNumber(name: string): number | undefined {
  const number = CAPABILITY_NAMES.indexOf(name);
  return number < 0 ? undefined : number;
}

export interface CapabilityChoice {
  /** Of `--cap-add`: names in any case, with or without `CAP_`, or `ALL`. */
  readonly add: readonly string[];
  /** Of `--cap-drop`. */
  readonly drop: readonly string[];
  readonly privileged: boolean;
}

const ALL = "ALL";

/**
 * The capabilities that a choice of flags means, by number. As with Docker, what is added wins over what is dropped, but for
 * `--cap-add ALL`, which leaves out what is dropped by name; a privileged container has all. Throws a Failure on unknown names.
 */
export function resolveCapabilities({ add, drop, privileged }: CapabilityChoice): string[] {
  const added = new Set(add.map((name) => normalize(name, "--cap-add")));
  const dropped = new Set(drop.map((name) => normalize(name, "--cap-drop")));
  if (privileged) return [...CAPABILITY_NAMES];
  if (added.has(ALL)) return CAPABILITY_NAMES.filter((name) => !dropped.has(name));
  const kept = dropped.has(ALL) ? [] : DEFAULT_CAPABILITIES.filter((name) => !dropped.has(name));
  return CAPABILITY_NAMES.filter((name) => added.has(name) || kept.includes(name));
}

function normalize(name: string, flag: string): string {
  const upper = name.toUpperCase();
  if (upper === ALL) return ALL;
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (CAPABILITY_NAMES.includes(full)) return full;
  throw new Failure(`${flag}: unknown capability '${name}'`, {
    hint: "capabilities(7) lists them; 'ALL' means all",
  });
}

/** More than any kernel has; the sets have this many bits. */
const CAPABILITY_LIMIT = 64;
const LAST_VERSION = 0x20080522;
const [EPERM, EINVAL] = [1, 22];
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** `struct __user_cap_header_struct`: capget(2). */
const header = struct({ version: "u32", pid: "i32" });
/** Both of `struct __user_cap_data_struct`, for capabilities 0 to 31 and 32 to 63. */
const sets = struct({
  effectiveLow: "u32",
  permittedLow: "u32",
  inheritableLow: "u32",
  effectiveHigh: "u32",
  permittedHigh: "u32",
  inheritableHigh: "u32",
});

interface Masks {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
}

function ownSets(): Masks {
  const data = new Uint8Array(sets.size);
  call("capget", "", header.encode({ version: LAST_VERSION }), data);
  const s = sets.decode(data);
  const mask = (low: number, high: number) => BigInt(low) | (BigInt(high) << 32n);
  return {
    effective: mask(s.effectiveLow, s.effectiveHigh),
    permitted: mask(s.permittedLow, s.permittedHigh),
    inheritable: mask(s.inheritableLow, s.inheritableHigh),
  };
}

function setOwn({ effective, permitted, inheritable }: Masks): void {
  const low = (mask: bigint) => Number(mask & 0xffffffffn);
  const high = (mask: bigint) => Number(mask >> 32n);
  const data = sets.encode({
    effectiveLow: low(effective),
    permittedLow: low(permitted),
    inheritableLow: low(inheritable),
    effectiveHigh: high(effective),
    permittedHigh: high(permitted),
    inheritableHigh: high(inheritable),
  });
  call("capset", "", header.encode({ version: LAST_VERSION }), data);
}

/** Whether this process has a capability in its effective set. */
export function hasCapability(number: number): boolean {
  return (ownSets().effective & bit(number)) !== 0n;
}

function inBoundingSet(number: number): boolean {
  return attempt("prctl", PR.capbsetRead, number, 0, 0, 0) === 1;
}

function bit(number: number): bigint {
  return 1n << BigInt(number);
}

/** The mask of those names that this program knows. */
function maskOf(names: readonly string[] | undefined): bigint {
  let mask = 0n;
  for (const name of names ?? []) {
    const number = capabilityNumber(name);
    if (number !== undefined) mask |= bit(number);
  }
  return mask;
}

/**
 * Takes all other capabilities from the bounding set of this process, also those that are newer than this program. Needs
 * CAP_SETPCAP, but for what is not there anyway. What is to be kept and is not there stays away.
 */
export function dropBoundingSet(keep: readonly string[]): void {
  const kept = new Set(keep.map(capabilityNumber));
  for (let number = 0; number < CAPABILITY_LIMIT; number++) {
    if (kept.has(number)) continue;
    const result = attempt("prctl", PR.capbsetDrop, number, 0, 0, 0);
    // Past the kernel's last capability.
    if (result === -EINVAL) return;
    if (result < 0 && !(result === -EPERM && !inBoundingSet(number))) {
      throw new KernelError("prctl", -result, `bounding set: ${CAPABILITY_NAMES[number] ?? number}`);
    }
  }
}

/**
 * Sets the permitted, effective, inheritable and ambient capabilities of this process; to be called once its ids are what they
 * will be, with PR_SET_KEEPCAPS before that. What this process cannot have is left out, as the specification asks for
 * (config.md#linux-process). With a user other than root, execve(2) leaves of these only the ambient ones.
 * @returns what was asked for and is not granted, by name
 */
export function applyCapabilities(capabilities: Capabilities): string[] {
  const own = ownSets();
  const permitted = maskOf(capabilities.permitted) & own.permitted;
  const effective = maskOf(capabilities.effective) & permitted;
  const inheritable = maskOf(capabilities.inheritable) & (own.inheritable | bounded(capabilities.inheritable, own));
  const ambient = maskOf(capabilities.ambient) & permitted & inheritable;
  prctl(PR.capAmbient, PR_CAP_AMBIENT_CLEAR_ALL);
  setOwn({ effective, permitted, inheritable });
  for (let number = 0; ambient >> BigInt(number) !== 0n; number++) {
    if ((ambient & bit(number)) !== 0n) prctl(PR.capAmbient, PR_CAP_AMBIENT_RAISE, number);
  }
  return notGranted(capabilities, { permitted, effective, inheritable, ambient });
}

/** Those of the names that may be added to the inheritable set: in the permitted and the bounding set (capset(2)). */
function bounded(names: readonly string[] | undefined, own: Masks): bigint {
  const candidates = (names ?? []).filter((name) => {
    const number = capabilityNumber(name);
    return number !== undefined && (own.permitted & bit(number)) !== 0n && inBoundingSet(number);
  });
  return maskOf(candidates);
}

/** Warnings of ambient ones that are not inheritable, too: what is asked for contradicts itself (capabilities(7)). Pure. */
export function contradictions({ ambient = [], inheritable = [] }: Capabilities): string[] {
  const contradicting = ambient.filter((name) => !inheritable.includes(name));
  return contradicting.map((name) => `can't raise ambient capability ${name}: it is not inheritable`);
}

function notGranted(asked: Capabilities, granted: Masks & { readonly ambient: bigint }): string[] {
  const missing = new Set<string>();
  for (const kind of ["permitted", "effective", "inheritable", "ambient"] as const) {
    for (const name of asked[kind] ?? []) {
      const number = capabilityNumber(name);
      if (kind === "ambient" && asked.inheritable?.includes(name) !== true) continue;
      if (number === undefined || (granted[kind] & bit(number)) === 0n) missing.add(name);
    }
  }
  return [...missing];
}
