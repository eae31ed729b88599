/**
 * Limits that are said in version 2's own words (`resources.unified`), as properties of a unit: systemd writes a controller's
 * files anew when one of them changes, and when it reloads its units, with what it was told. Pure.
 * Sources: cgroup-v2.rst, systemd.resource-control(5).
 */
import type { Value } from "./dbus.ts";
import { cpuMask, INFINITY, type Property, quotaProperties } from "./systemd.ts";
import { DEFAULT_PERIOD_US } from "./write.ts";

/** Files that hold one number or `max`. */
const AMOUNTS: Readonly<Record<string, string>> = {
  "memory.min": "MemoryMin",
  "memory.low": "MemoryLow",
  "memory.high": "MemoryHigh",
  "memory.max": "MemoryMax",
  "memory.swap.max": "MemorySwapMax",
  "pids.max": "TasksMax",
};
const CPU_LISTS: Readonly<Record<string, string>> = {
  "cpuset.cpus": "AllowedCPUs",
  "cpuset.mems": "AllowedMemoryNodes",
};
const NUMBER = /^\d{1,19}$/;

/** What systemd has no property for, or no such value, is left out: the file is written by ourselves. */
export function unifiedProperties(files: Readonly<Record<string, string>> = {}): Property[] {
  return Object.entries(files).flatMap(([file, text]) => propertiesOf(file, text.trim()));
}

function propertiesOf(file: string, text: string): Property[] {
  const one = (name: string, signature: string, value: Value): Property[] => [{ name, signature, value }];
  const [amount, cpus] = [AMOUNTS[file], CPU_LISTS[file]];
  if (amount !== undefined) {
    if (text === "max") return one(amount, "t", INFINITY);
    return NUMBER.test(text) ? one(amount, "t", BigInt(text)) : [];
  }
  if (cpus !== undefined) return one(cpus, "ay", cpuMask(text));
  if (file === "cpu.weight") return NUMBER.test(text) ? one("CPUWeight", "t", BigInt(text)) : [];
  if (file !== "cpu.max") return [];
  const [quota = "", period = String(DEFAULT_PERIOD_US), ...more] = text.split(" ");
  if (more.length > 0 || !NUMBER.test(period) || Number(period) === 0) return [];
  if (quota === "max") return quotaProperties(-1, Number(period));
  return NUMBER.test(quota) ? quotaProperties(BigInt(quota), Number(period)) : [];
}
