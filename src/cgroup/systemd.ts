/**
 * cgroups that systemd makes: what a container's `cgroupsPath`, limits and annotations mean as a unit of systemd's. Pure.
 * Sources: systemd.resource-control(5), org.freedesktop.systemd1(5), runc's docs on its systemd driver.
 */
import { Failure } from "../failure.ts";
import type { Resources } from "../spec/config.ts";
import type { Value } from "./dbus.ts";
import { deviceRules } from "./devices.ts";
import { swapOf, weightOfShares } from "./v2.ts";
import { DEFAULT_PERIOD_US, isSet, pidsLimit } from "./write.ts";

export interface SystemdPlace {
  /** As in `machine-a.slice`. */
  readonly slice: string;
  /** As in `libpod-1234.scope`. */
  readonly unit: string;
  /** Below the cgroup of the manager: `/machine.slice/machine-a.slice/libpod-1234.scope`. */
  readonly path: string;
}

/** A property as StartTransientUnit takes it. */
export interface Property {
  readonly name: string;
  readonly signature: string;
  readonly value: Value;
}

const NAME_LIMIT = 255;
const UNIT_NAME = /^[A-Za-z0-9:_.\\@-]+$/;
/** No limit, as systemd has it. */
export const INFINITY = 2n ** 64n - 1n;

/** What `slice:prefix:name` means; each part has a default. */
export function parseSystemdPath(cgroupsPath: string | undefined, id: string, isUser: boolean): SystemdPlace {
  const defaultSlice = isUser ? "user.slice" : "system.slice";
  const parts = cgroupsPath === undefined || cgroupsPath === "" ? ["", "mycontainer", id] : cgroupsPath.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || name === "") {
    throw new Failure(
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "${cgroupsPath}" instead`,
    );
  }
  const unit = name.endsWith(".slice") ? name : `${prefix === "" ? "" : `${prefix}-`}${name}.scope`;
  const ownSlice = slice === "" ? defaultSlice : slice;
  if (!UNIT_NAME.test(unit) || unit.length > NAME_LIMIT) throw new Failure(`'${unit}' cannot be a unit of systemd's`);
  return { slice: ownSlice, unit, path: `${expandSlice(ownSlice)}/${unit}` };
}

/** `a-b.slice` lies in `a.slice`: systemd.slice(5). `-.slice` is the root. */
export function expandSlice(slice: string): string {
  const name = slice.slice(0, -".slice".length);
  if (!slice.endsWith(".slice") || slice.includes("/") || name === "")
    throw new Failure(`invalid slice name: ${slice}`);
  if (name === "-") return "";
  const parts = name.split("-");
  if (parts.includes("") || !UNIT_NAME.test(name)) throw new Failure(`invalid slice name: ${slice}`);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}.slice`).join("");
}

function property(name: string, signature: string, value: Value): Property {
  return { name, signature, value };
}

/** Of -1 and the like. */
function amount(limit: number | bigint): bigint {
  return BigInt(limit) < 0n ? INFINITY : BigInt(limit);
}

const QUOTA_STEP_US = 10_000n;

/** systemd counts the quota in whole 10 ms of a second: rounded up, so that nobody gets less. */
export function quotaPerSecond(quota: number | bigint, period: number): bigint {
  if (BigInt(quota) <= 0n) return INFINITY;
  const perSecond = (BigInt(quota) * 1_000_000n) / BigInt(period);
  const rest = perSecond % QUOTA_STEP_US;
  return rest === 0n ? perSecond : perSecond - rest + QUOTA_STEP_US;
}

/** A quota of each period, both in us. */
export function quotaProperties(quota: number | bigint, period: number): Property[] {
  const perSecond = property("CPUQuotaPerSecUSec", "t", quotaPerSecond(quota, period));
  return period === DEFAULT_PERIOD_US ? [perSecond] : [property("CPUQuotaPeriodUSec", "t", BigInt(period)), perSecond];
}

/** A list of CPUs as a mask, the lowest first in the first byte: `0-2,8` -> 07 01. */
export function cpuMask(list: string): number[] {
  const mask: number[] = [];
  for (const range of list.split(",").filter((part) => part.trim() !== "")) {
    const [first = "", last = first, ...more] = range.trim().split("-");
    if (more.length > 0 || !/^\d{1,4}$/.test(first) || !/^\d{1,4}$/.test(last) || Number(last) < Number(first)) {
      throw new Failure(`'${list}' is not a list of CPUs`);
    }
    for (let cpu = Number(first); cpu <= Number(last); cpu++) {
      while (mask.length <= cpu >> 3) mask.push(0);
      mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
    }
  }
  return mask;
}

/** The limits that systemd has properties for, so that it knows them; all are written by ourselves as well. */
export function limitProperties(resources: Resources, version: 1 | 2): Property[] {
  const { memory = {}, cpu = {} } = resources;
  const properties: Property[] = [];
  const add = (name: string, signature: string, value: Value) => properties.push(property(name, signature, value));
  if (isSet(memory.limit)) add(version === 2 ? "MemoryMax" : "MemoryLimit", "t", amount(memory.limit));
  if (version === 2) {
    if (isSet(memory.reservation)) add("MemoryLow", "t", amount(memory.reservation));
    const swap = swapOf(memory.limit, memory.swap);
    if (swap !== undefined) add("MemorySwapMax", "t", swap === "max" ? INFINITY : BigInt(swap));
  }
  if (isSet(cpu.shares)) {
    if (version === 2) add("CPUWeight", "t", BigInt(weightOfShares(Number(cpu.shares))));
    else add("CPUShares", "t", BigInt(cpu.shares));
  }
  if (isSet(cpu.quota) || isSet(cpu.period)) {
    properties.push(...quotaProperties(cpu.quota ?? -1, isSet(cpu.period) ? Number(cpu.period) : DEFAULT_PERIOD_US));
  }
  if (version === 2 && isSet(cpu.cpus)) add("AllowedCPUs", "ay", cpuMask(cpu.cpus));
  if (version === 2 && isSet(cpu.mems)) add("AllowedMemoryNodes", "ay", cpuMask(cpu.mems));
  if (version === 1 && isSet(resources.blockIO?.weight))
    add("BlockIOWeight", "t", BigInt(resources.blockIO?.weight ?? 0));
  const pids = pidsLimit(resources);
  if (pids !== undefined) add("TasksMax", "t", amount(pids));
  return properties;
}

/**
 * The devices, so that systemd writes no other rules when it reloads its units. It cannot say "all of a major number" but by the
 * name that the kernel has for it.
 * @param groups of /proc/devices: `c 136` -> `pts`
 */
export function deviceProperties(resources: Resources, groups: ReadonlyMap<string, string>): Property[] {
  const rules = deviceRules(resources.devices ?? []);
  if (rules === "everything") return [property("DevicePolicy", "s", "auto")];
  const allowed = rules
    .filter(({ allow }) => allow)
    .flatMap(({ type, major, minor, access }): Value[] => {
      const kinds = type === "a" ? (["c", "b"] as const) : [type];
      return kinds.flatMap((kind): Value[] => {
        const word = kind === "c" ? "char" : "block";
        if (major === undefined) return [[`${word}-*`, access]];
        if (minor !== undefined) return [[`/dev/${word}/${major}:${minor}`, access]];
        const group = groups.get(`${kind} ${major}`);
        return group === undefined ? [] : [[`${word}-${group}`, access]];
      });
    });
  return [property("DevicePolicy", "s", "strict"), property("DeviceAllow", "a(ss)", allowed)];
}

/** /proc/devices: `c 136` -> `pts`. Pure. */
export function deviceGroups(text: string): Map<string, string> {
  const groups = new Map<string, string>();
  let kind = "c";
  for (const line of text.split("\n")) {
    if (line.startsWith("Block")) kind = "b";
    const [major = "", name = ""] = line.trim().split(/ +/, 2);
    if (/^\d+$/.test(major)) groups.set(`${kind} ${major}`, name);
  }
  return groups;
}

const ANNOTATION_PREFIX = "org.systemd.property.";
const INTEGER_TYPES: Readonly<Record<string, string>> = {
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  int64: "x",
  uint64: "t",
};

/** Properties that annotations ask for, `org.systemd.property.NAME: VALUE`, with values in GVariant's text form. */
export function annotationProperties(annotations: Readonly<Record<string, string>> = {}): Property[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(ANNOTATION_PREFIX))
    .map(([key, text]) => {
      const name = key.slice(ANNOTATION_PREFIX.length);
      if (!/^[A-Za-z]{3,64}$/.test(name)) throw new Failure(`annotation ${key}: this is no property of systemd's`);
      const { signature, value } = parseVariant(text, key);
      // Durations in seconds are microseconds on the bus.
      if (!name.endsWith("Sec") || name.endsWith("USec")) return property(name, signature, value);
      if (typeof value !== "number" && typeof value !== "bigint") throw new Failure(`annotation ${key}: not a number`);
      return property(`${name.slice(0, -"Sec".length)}USec`, "t", BigInt(Math.round(Number(value) * 1_000_000)));
    });
}

function parseVariant(text: string, about: string): { signature: string; value: Value } {
  const trimmed = text.trim();
  if (trimmed === "true" || trimmed === "false") return { signature: "b", value: trimmed === "true" };
  if (/^-?\d{1,10}$/.test(trimmed)) return { signature: "i", value: Number(trimmed) };
  if (/^-?\d{1,10}\.\d{1,9}$/.test(trimmed)) return { signature: "d", value: Number(trimmed) };
  const typed = /^([a-z0-9]+) +(-?\d{1,20})$/.exec(trimmed);
  const signature = INTEGER_TYPES[typed?.[1] ?? ""];
  if (signature !== undefined) return { signature, value: BigInt(typed?.[2] ?? 0) };
  const string = unquote(trimmed);
  if (string !== undefined) return { signature: "s", value: string };
  if (trimmed.startsWith("[") && trimmed.endsWith("]")) {
    const items = trimmed
      .slice(1, -1)
      .split(",")
      .map((item) => unquote(item.trim()));
    if (items.every((item) => item !== undefined)) return { signature: "as", value: items };
  }
  throw new Failure(`annotation ${about}: '${text}' is no value`, {
    hint: "as in 'text', true, 5, uint64 5, ['a', 'b']",
  });
}

function unquote(text: string): string | undefined {
  const quote = text.charAt(0);
  if ((quote !== "'" && quote !== '"') || text.length < 2 || !text.endsWith(quote)) return undefined;
  const inner = text.slice(1, -1);
  return inner.includes(quote) || inner.includes("\\") ? undefined : inner;
}
