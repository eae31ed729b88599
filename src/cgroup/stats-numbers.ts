/**
 * The formats in which files of cgroups have numbers: of 64 bits, which are BigInts where they are not safe as numbers.
 */
import type { Int64 } from "../spec/config.ts";

/** What "max" is as a number: Go programs have no other word for it. */
export const UNLIMITED = 2n ** 64n - 1n;

const DIGITS = /^-?\d{1,20}$/;

/** A number, `max`, or 0 where there is none. Pure. */
export function integerOf(text: string | undefined): Int64 {
  const trimmed = text?.trim() ?? "";
  if (trimmed === "max") return UNLIMITED;
  if (!DIGITS.test(trimmed)) return 0;
  const number = Number(trimmed);
  return Number.isSafeInteger(number) ? number : BigInt(trimmed);
}

/** As a number again, if it is safe as one. Pure. */
export function exact(integer: bigint): Int64 {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

/** Numbers with blanks between them. Pure. */
export function integersOf(text: string | undefined): Int64[] {
  return (text ?? "")
    .split(/\s/)
    .filter((word) => word !== "")
    .map(integerOf);
}

/** `key value` lines, as in `memory.stat`. Pure. */
export function integersByKey(text: string | undefined): Map<string, Int64> {
  const numbers = new Map<string, Int64>();
  for (const line of (text ?? "").split("\n")) {
    const [key = "", value] = line.split(" ");
    if (value !== undefined) numbers.set(key, integerOf(value));
  }
  return numbers;
}

/** More CPUs or memory nodes than any kernel has. */
const SET_LIMIT = 65_536;

/** A set as in `0-2,7`: cpuset(7), "List format". What is no number is left out. Pure. */
export function membersOfSet(text: string | undefined): number[] {
  const members: number[] = [];
  for (const range of (text ?? "").trim().split(",")) {
    if (!/^\d{1,5}(-\d{1,5})?$/.test(range)) continue;
    const [first = 0, last = first] = range.split("-").map(Number);
    for (let member = first; member <= Math.min(last, SET_LIMIT); member++) members.push(member);
  }
  return members;
}

export interface BlockIoEntry {
  readonly major: number;
  readonly minor: number;
  /** `Read`, `Write`, `Total` and so on; empty where the file does not tell them apart. */
  readonly operation: string;
  readonly value: Int64;
}

/** Version 1: lines as in `8:0 Read 4096`, or `8:0 4096`; the sum over all devices is left out. Pure. */
export function blockIoTable(text: string | undefined): BlockIoEntry[] {
  const entries: BlockIoEntry[] = [];
  for (const line of (text ?? "").split("\n")) {
    const words = line.split(" ");
    const device = deviceOf(words[0] ?? "");
    if (device === undefined || words.length < 2) continue;
    const operation = words.length > 2 ? (words[1] ?? "") : "";
    entries.push({ ...device, operation, value: integerOf(words.at(-1)) });
  }
  return entries;
}

/** Version 2: lines as in `8:0 rbytes=4096 wbytes=0 rios=1 ...`, for keys as version 1 calls them. Pure. */
export function ioStatTable(text: string | undefined, operations: Readonly<Record<string, string>>): BlockIoEntry[] {
  const entries: BlockIoEntry[] = [];
  for (const line of (text ?? "").split("\n")) {
    const [name = "", ...words] = line.split(" ");
    const device = deviceOf(name);
    if (device === undefined) continue;
    for (const word of words) {
      const [key = "", value] = word.split("=");
      const operation = operations[key];
      if (operation !== undefined) entries.push({ ...device, operation, value: integerOf(value) });
    }
  }
  return entries;
}

function deviceOf(text: string): { major: number; minor: number } | undefined {
  if (!/^\d{1,10}:\d{1,10}$/.test(text)) return undefined;
  const [major = 0, minor = 0] = text.split(":").map(Number);
  return { major, minor };
}
