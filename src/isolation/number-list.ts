/**
 * Lists of CPUs and of memory nodes, as the kernel writes them: `0-3,7` (cpuset(7), "List format"), and the masks that its calls
 * take. Pure.
 */
import { Failure } from "../failure.ts";

/** Longer than any list that names each of the kernel's most CPUs by itself. */
const TEXT_LIMIT_BYTES = 64 * 1024;

function parseNumber(text: string, limit: number): number | undefined {
  if (text.length === 0 || text.length > 5) return undefined;
  let value = 0;
  for (const letter of text) {
    const digit = letter.charCodeAt(0) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value < limit ? value : undefined;
}

/**
 * The numbers that a list names, each once, in ascending order. Blanks around commas and commas too many are fine. Empty text
 * names none; any other names one at least.
 * @param limit numbers are below it
 * @param about the field that the list is from, for the error
 * @throws Failure
 */
export function parseNumberList(text: string, limit: number, about: string): number[] {
  if (text === "") return [];
  if (text.length > TEXT_LIMIT_BYTES) throw new Failure(`${about}: a list of ${text.length} characters is too long`);
  const named = new Set<number>();
  for (const part of text.split(",")) {
    const range = part.trim();
    if (range === "") continue;
    const dash = range.indexOf("-");
    const first = parseNumber(dash < 0 ? range : range.slice(0, dash), limit);
    const last = dash < 0 ? first : parseNumber(range.slice(dash + 1), limit);
    if (first === undefined || last === undefined || first > last) {
      throw new Failure(`${about}: '${range}' is not a number below ${limit} nor a range of such`, {
        hint: "a list is of the form '0-3,7'",
      });
    }
    for (let number = first; number <= last; number++) named.add(number);
  }
  if (named.size === 0) throw new Failure(`${about}: '${text}' names no number`);
  return [...named].sort((one, other) => one - other);
}

const WORD_BYTES = 8;

/** Bit n is number n; whole 64-bit words, as many as the largest number needs and one at least. */
export function maskOfNumbers(numbers: readonly number[]): Uint8Array {
  const highest = numbers.reduce((most, number) => Math.max(most, number), 0);
  const mask = new Uint8Array((Math.floor(highest / (8 * WORD_BYTES)) + 1) * WORD_BYTES);
  for (const number of numbers) mask[number >> 3] = (mask[number >> 3] ?? 0) | (1 << (number & 7));
  return mask;
}
