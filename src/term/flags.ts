/**
 * Flags, declared as data and parsed into typed values:
 *
 *     const FLAGS = { all: toggle("a", "Show all"), filter: list("f", "NAME=VALUE", "Only those") } as const;
 *     const { flags, rest } = parseFlags("ps", FLAGS, argv);   // flags.all?: boolean, flags.filter: string[]
 */
import { Failure, nearestOf } from "../failure.ts";

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

export const toggle = (short = "", help = ""): Toggle => ({ kind: "toggle", short, help });
export const text = (short = "", placeholder = "VALUE", help = ""): Text => ({
  kind: "text",
  short,
  placeholder,
  help,
});
export const list = (short = "", placeholder = "VALUE", help = ""): List => ({
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
  /** Other names of flags, which the help does not tell: `net` -> `network`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** What the program is called in errors. */
  readonly program?: string;
}

/** Parses a command's arguments. Throws a Failure for what it does not know. */
export function parseFlags<F extends Flags>(
  command: string,
  known: F,
  argv: readonly string[],
  options: ParseOptions = {},
): Parsed<F> {
  const values: Record<string, boolean | string | string[] | undefined> = {};
  const shorts = new Map<string, string>();
  for (const name in known) {
    const flag = known[name];
    if (flag === undefined) continue;
    if (flag.kind === "list") values[name] = [];
    if (flag.short !== "") shorts.set(flag.short, name);
  }
  const rest: string[] = [];
  const hint = `see '${[options.program ?? "mycontainer", command].join(" ").trimEnd()} --help'`;
  let index = 0;
  const take = (name: string, shown: string, value: string | undefined): void => {
    const flag = known[name];
    if (flag === undefined) return;
    if (flag.kind === "toggle") {
      values[name] = value === undefined ? true : parseBoolean(value, `flag ${shown}`);
      return;
    }
    const given = value ?? argv[index++];
    if (given === undefined) {
      throw new Failure(`flag ${shown} needs a value`, { hint });
    }
    if (given.includes("\0")) throw new Failure(`the value of ${shown} contains a NUL`);
    const before = values[name];
    if (Array.isArray(before)) before.push(given);
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
      const name = nameOf(known, shown.slice(2), options);
      if (name === undefined) throw unknownFlag(hint, known, shown);
      take(name, shown, equals < 0 ? undefined : word.slice(equals + 1));
    } else if (word.startsWith("-") && word.length > 1) {
      for (const { letter, value } of splitShorts(known, shorts, word.slice(1))) {
        const name = shorts.get(letter);
        if (name === undefined) throw unknownFlag(hint, known, `-${letter}`);
        take(name, `-${letter}`, value);
      }
    } else {
      rest.push(word);
      if (options.stopAtFirstWord !== true) continue;
      rest.push(...argv.slice(index));
      break;
    }
  }
  return { flags: values as Values<F>, rest };
}

/** The flag that a long name stands for. */
export function nameOf(known: Flags, given: string, { aliases }: ParseOptions): string | undefined {
  if (Object.hasOwn(known, given)) return given;
  return aliases !== undefined && Object.hasOwn(aliases, given) ? aliases[given] : undefined;
}

/** `-it`, `-e A=B`, `-eA=B`, `-m=1g`: letters, the last of them with what follows it in the same word. */
export function splitShorts(
  known: Flags,
  shorts: ReadonlyMap<string, string>,
  letters: string,
): { letter: string; value: string | undefined }[] {
  const found: { letter: string; value: string | undefined }[] = [];
  for (let at = 0; at < letters.length; at++) {
    const letter = letters.charAt(at);
    const next = letters.charAt(at + 1);
    const takesValue = (known[shorts.get(letter) ?? ""]?.kind ?? "toggle") !== "toggle";
    if (next === "=") return [...found, { letter, value: letters.slice(at + 2) }];
    if (takesValue) return [...found, { letter, value: next === "" ? undefined : letters.slice(at + 1) }];
    found.push({ letter, value: undefined });
  }
  return found;
}

const TRUE = ["true", "1", "t"];
const FALSE = ["false", "0", "f"];

/** A truth value as docker takes it, in any case. `what` names it in the error: "flag --rm". */
export function parseBoolean(value: string, what: string): boolean {
  const lower = value.toLowerCase();
  if (TRUE.includes(lower)) return true;
  if (FALSE.includes(lower)) return false;
  throw new Failure(`${what} is true or false, not '${value}'`);
}

function unknownFlag(seeHelp: string, known: Flags, shown: string): Failure {
  const nearest = shown.startsWith("--") ? nearestOf(shown.slice(2), Object.keys(known)) : undefined;
  const guess = nearest === undefined ? "" : `did you mean --${nearest}? `;
  return new Failure(`unknown flag ${shown}`, { hint: `${guess}${seeHelp}` });
}

/** `  -m, --memory SIZE`. */
export function describeFlag(name: string, short: string, placeholder: string): string {
  return `  ${short === "" ? "    " : `-${short}, `}--${name}${placeholder === "" ? "" : ` ${placeholder}`}`;
}

/** The flags as lines of help, in columns. */
export function describeFlags(known: Flags): string[] {
  const rows = Object.entries(known).map(([name, flag]) => {
    return [describeFlag(name, flag.short, flag.kind === "toggle" ? "" : flag.placeholder), flag.help] as const;
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.map(([left, help]) => `${left.padEnd(width)}${help}`);
}
