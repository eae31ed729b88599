/**
 * Which devices a container may use: config-linux.md#allowed-device-list. Both versions of cgroups take their rules from here.
 */
import { Failure } from "../failure.ts";
import type { DeviceRule } from "../spec/config.ts";

/** A rule with every field decided. */
export interface FullRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  /** Undefined for all. */
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** Of `r`, `w`, `m`. */
  readonly access: string;
}

export const ANY_DEVICE: FullRule = { allow: true, type: "a", major: undefined, minor: undefined, access: "rwm" };

/**
 * What every container may do: make any node, and use the devices of config-linux.md#default-devices; as runc. A container's
 * /dev/console is a terminal of its own: 5:1 is the host's, where passwords are typed.
 */
const DEFAULT_ALLOWED: readonly [
  type: "b" | "c",
  major: number | undefined,
  minor: number | undefined,
  access: string,
][] = [
  ["c", undefined, undefined, "m"],
  ["b", undefined, undefined, "m"],
  ["c", 1, 3, "rwm"], // null
  ["c", 1, 5, "rwm"], // zero
  ["c", 1, 7, "rwm"], // full
  ["c", 1, 8, "rwm"], // random
  ["c", 1, 9, "rwm"], // urandom
  ["c", 5, 0, "rwm"], // tty
  ["c", 5, 2, "rwm"], // ptmx
  ["c", 10, 200, "rwm"], // net/tun, which engines take for granted
  ["c", 136, undefined, "rwm"], // pts/*
];

function wildcard(number: number | undefined): number | undefined {
  return number === undefined || number === -1 ? undefined : number;
}

/** A rule about some of "all" types becomes one about each: `a` alone in the kernel's files means everything. */
function complete(rule: DeviceRule): FullRule[] {
  // "a" is written for all by some; it is so with runc.
  const access = rule.access === undefined || rule.access === "" || rule.access.includes("a") ? "rwm" : rule.access;
  for (const letter of access)
    if (!"rwm".includes(letter)) throw new Failure(`device access '${access}' is not made of r, w and m`);
  const full: FullRule = {
    allow: rule.allow,
    type: rule.type ?? "a",
    major: wildcard(rule.major),
    minor: wildcard(rule.minor),
    access,
  };
  if (full.type !== "a" || isWholesale(full)) return [full];
  return [
    { ...full, type: "b" },
    { ...full, type: "c" },
  ];
}

function isWholesale({ type, major, minor, access }: FullRule): boolean {
  return type === "a" && major === undefined && minor === undefined && ["r", "w", "m"].every((a) => access.includes(a));
}

/**
 * The rules in force, in their order, on top of "nothing is allowed"; or `everything`, if all devices are allowed (as in
 * a privileged container). What a rule about all devices makes meaningless is left out.
 */
export function deviceRules(rules: readonly DeviceRule[]): FullRule[] | "everything" {
  let kept: FullRule[] = [];
  let everything = false;
  for (const rule of rules.flatMap(complete)) {
    if (isWholesale(rule)) {
      kept = [];
      everything = rule.allow;
    } else if (everything && rule.allow) {
    } else {
      kept.push(rule);
    }
  }
  if (everything && kept.length === 0) return "everything";
  const defaults = DEFAULT_ALLOWED.map(([type, major, minor, access]) => ({ allow: true, type, major, minor, access }));
  return everything ? [ANY_DEVICE, ...kept, ...defaults] : [...kept, ...defaults];
}

/** As `devices.allow` takes it: `c 1:3 rwm`. */
export function formatRule({ type, major, minor, access }: FullRule): string {
  return `${type} ${major ?? "*"}:${minor ?? "*"} ${access}`;
}
