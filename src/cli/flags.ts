/**
 * Flags, declared as data and parsed into typed values:
 *
 *     const FLAGS = { all: toggle("a", "Show all"), filter: list("f", "NAME=VALUE", "Only those") } as const;
 *     const { flags, rest } = parseFlags("ps", FLAGS, argv);   // flags.all?: boolean, flags.filter: string[]
 */
import { Failure } from "../failure.ts";

interface Toggle {
  readonly kind: "toggle";
  readonly short: string;
  readonly help: string;
}
interface Text {
  readonly kind: "text";
  readonly short: string;
  readonly placeholder: string;
  readonly help: string;
}
interface List {
  readonly kind: "list";
  readonly short: string;
  readonly placeholder: string;
  readonly help: string;
}

export type Flag = Toggle | Text | List;
export type Flags = Readonly<Record<string, Flag>>;

export const toggle = (short: string, help: string): Toggle => ({ kind: "toggle", short, help });
export const text = (short: string, placeholder: string, help: string): Text => ({
  kind: "text",
  short,
  placeholder,
  help,
});
export const list = (short: string, placeholder: string, help: string): List => ({
  kind: "list",
  short,
  placeholder,
  help,
});

type ValueOf<F extends Flag> = F extends Toggle ? boolean | undefined : F extends Text ? string | undefined : string[];
export type Values<F extends Flags> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

export interface Parsed<F extends Flags> {
  readonly flags: Values<F>;
  readonly rest: readonly string[];
}

export interface ParseOptions {
  /** Whether what follows the first word that is no flag belongs to it: `run IMAGE COMMAND -flags`. */
  readonly stopAtFirstWord?: boolean;
}

/** Parses a command's arguments. Throws a Failure for what it does not know. */
export function parseFlags<F extends Flags>(
  command: string,
  known: F,
  argv: readonly string[],
  options: ParseOptions = {},
): Parsed<F> {
  const values: Record<string, boolean | string | string[] | undefined> = {};
  for (const name in known) if (known[name]?.kind === "list") values[name] = [];
  const rest: string[] = [];
  let index = 0;
  const take = (name: string, flag: Flag, shown: string, value: string | undefined): void => {
    if (flag.kind === "toggle") {
      values[name] = value === undefined ? true : parseBoolean(shown, value);
      return;
    }
    const given = value ?? argv[index++];
    if (given === undefined) {
      throw new Failure(`flag ${shown} needs a value`, {
        hint: `${shown} ${flag.placeholder}; see 'mycontainer ${command} --help'`,
      });
    }
    if (flag.kind === "list") (values[name] as string[]).push(given);
    else values[name] = given;
  };
  while (index < argv.length) {
    const word = argv[index++] ?? "";
    if (word === "--") {
      rest.push(...argv.slice(index));
      break;
    }
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const shown = equals < 0 ? word : word.slice(0, equals);
      const name = shown.slice(2);
      const flag = Object.hasOwn(known, name) ? known[name] : undefined;
      if (flag === undefined) throw unknownFlag(command, known, shown);
      take(name, flag, shown, equals < 0 ? undefined : word.slice(equals + 1));
    } else if (word.startsWith("-") && word.length > 1) {
      takeShort(command, known, word.slice(1), take);
    } else {
      rest.push(word);
      if (options.stopAtFirstWord !== true) continue;
      rest.push(...argv.slice(index));
      break;
    }
  }
  return { flags: values as Values<F>, rest };
}

/** `-it`, `-e A=B`, `-eA=B`, `-m=1g`. */
function takeShort(
  command: string,
  known: Flags,
  letters: string,
  take: (name: string, flag: Flag, shown: string, value: string | undefined) => void,
): void {
  for (let at = 0; at < letters.length; at++) {
    const letter = letters.charAt(at);
    const name = Object.keys(known).find((candidate) => known[candidate]?.short === letter);
    const flag = name === undefined ? undefined : known[name];
    if (name === undefined || flag === undefined) throw unknownFlag(command, known, `-${letter}`);
    if (flag.kind === "toggle" && letters.charAt(at + 1) !== "=") {
      take(name, flag, `-${letter}`, undefined);
      continue;
    }
    const value = letters.slice(at + 1).replace(/^=/, "");
    take(name, flag, `-${letter}`, value === "" ? undefined : value);
    return;
  }
}

function parseBoolean(shown: string, value: string): boolean {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw new Failure(`flag ${shown} is true or false, not '${value}'`);
}

function unknownFlag(command: string, known: Flags, shown: string): Failure {
  const nearest = shown.startsWith("--") ? nearestOf(shown.slice(2), Object.keys(known)) : undefined;
  const guess = nearest === undefined ? "" : `did you mean --${nearest}? `;
  return new Failure(`unknown flag ${shown}`, { hint: `${guess}see 'mycontainer ${command} --help'` });
}

/** How different two words are at most to be taken for a slip of the fingers. */
const NEAR = 2;

/** The word among `candidates` that was probably meant. */
export function nearestOf(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = NEAR + 1;
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) && word.length > 2 ? 1 : distanceOf(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The number of letters that are put in, left out or changed (Levenshtein's distance). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** The flags as lines of help, in columns. */
export function describeFlags(known: Flags): string[] {
  const rows = Object.entries(known).map(([name, flag]) => {
    const short = flag.short === "" ? "    " : `-${flag.short}, `;
    return [`  ${short}--${name}${flag.kind === "toggle" ? "" : ` ${flag.placeholder}`}`, flag.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, help]) => `${left.padEnd(width)}${help}`);
}
