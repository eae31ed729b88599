/**
 * The text of an instruction in parts: its keyword, its flags, its words. What is in quotes stays so: variables are put in later,
 * and only they tell which quotes count. Pure.
 */
import { Failure, nearestOf } from "../failure.ts";
import { parseStrict } from "../spec/strict-json.ts";
import type { Command, Escape } from "./instruction.ts";

export const WORDS_LIMIT = 4096;
const NUL_IN_JSON = "\\u0000";

/** As the reference has it: not all that Unicode calls blank. */
const isBlank = (character: string): boolean => " \t\v\f\r\n".includes(character) && character !== "";

export interface Parts {
  /** In capitals. */
  readonly keyword: string;
  /** `--name=value`, without the quotes that were around or in it. */
  readonly flags: readonly string[];
  readonly rest: string;
}

export function partsOf(instruction: string, escapeBy: Escape): Parts {
  const text = instruction.trim();
  let end = 0;
  while (end < text.length && !isBlank(text.charAt(end))) end++;
  const { flags, rest } = takeFlags(text.slice(end).trim(), escapeBy);
  return { keyword: text.slice(0, end).toUpperCase(), flags, rest: rest.trim() };
}

/** The words that begin with `--`, up to one that does not, or is `--` alone. */
function takeFlags(text: string, escapeBy: Escape): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  while (text.startsWith("--", at)) {
    let word = "";
    let quote = "";
    for (; at < text.length; at++) {
      const character = text.charAt(at);
      if (character === escapeBy) word += text.charAt(++at);
      else if (quote !== "" && character === quote) quote = "";
      else if (quote === "" && (character === '"' || character === "'")) quote = character;
      else if (quote === "" && isBlank(character)) break;
      else word += character;
    }
    while (isBlank(text.charAt(at))) at++;
    if (word === "--") break;
    flags.push(word);
    checkNumber(flags);
  }
  return { flags, rest: text.slice(at) };
}

function checkNumber(words: readonly string[]): void {
  if (words.length > WORDS_LIMIT) throw new Failure(`there are more than ${WORDS_LIMIT} words`);
}

/** Words between blanks, whatever is in them: COPY, EXPOSE, FROM, VOLUME. */
export function blankWords(text: string): string[] {
  const found: string[] = [];
  let begin = 0;
  for (let at = 0; at <= text.length; at++) {
    if (at < text.length && !isBlank(text.charAt(at))) continue;
    if (at > begin) found.push(text.slice(begin, at));
    checkNumber(found);
    begin = at + 1;
  }
  return found;
}

/** Words between blanks that are not in quotes; quotes and escapes stay: ARG, ENV, LABEL. */
export function quotedWords(text: string, escapeBy: Escape): string[] {
  const found: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === escapeBy && quote !== "'") {
      // An escape character with nothing after it is dropped.
      if (at + 1 < text.length) word += character + text.charAt(++at);
    } else if (quote === "" && isBlank(character)) {
      if (word !== "") found.push(word);
      word = "";
      checkNumber(found);
    } else {
      if (quote === character) quote = "";
      else if (quote === "" && (character === '"' || character === "'")) quote = character;
      word += character;
    }
  }
  return word === "" ? found : [...found, word];
}

/** `NAME` and what comes after the first blanks. */
export function firstWord(text: string): [word: string, rest: string] {
  let end = 0;
  while (end < text.length && !isBlank(text.charAt(end))) end++;
  return [text.slice(0, end), text.slice(end).trim()];
}

/**
 * A JSON array of texts; undefined if the text is no JSON, which is not an error: `[ -f /x ]` is a command.
 * @throws Failure for an array of anything else
 */
export function jsonWords(text: string): string[] | undefined {
  if (!text.startsWith("[") || !text.endsWith("]")) return undefined;
  const list = jsonOf(text);
  // No program can be given one; without this it would be a command for the shell, brackets and all.
  if (list === undefined && text.includes(NUL_IN_JSON) && jsonOf(text.replaceAll(NUL_IN_JSON, "")) !== undefined) {
    throw new Failure("a word may have no NUL in it");
  }
  if (!Array.isArray(list)) return undefined;
  if (!list.every((item): item is string => typeof item === "string")) {
    throw new Failure("an array may have nothing but texts in it", { hint: 'as in ["/bin/app", "--port", "80"]' });
  }
  checkNumber(list);
  return list;
}

function jsonOf(text: string): unknown {
  try {
    return parseStrict(text, "array");
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

export function commandOf(text: string): Command {
  const words = jsonWords(text);
  return words === undefined ? { form: "shell", text } : { form: "exec", words };
}

type FlagKind = "text" | "toggle" | "list";
type FlagValue<K extends FlagKind> = K extends "list"
  ? readonly string[]
  : (K extends "text" ? string : boolean) | undefined;

/** The flags of an instruction, as it knows them. */
export function readFlags<K extends Readonly<Record<string, FlagKind>>>(
  keyword: string,
  words: readonly string[],
  known: K,
): { readonly [Name in keyof K]: FlagValue<K[Name]> } {
  const values: Record<string, string | boolean | string[] | undefined> = {};
  for (const name in known) values[name] = known[name] === "list" ? [] : undefined;
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    if (!Object.hasOwn(known, name)) throw unknownFlag(keyword, name, nearestOf(name, Object.keys(known)));
    const before = values[name];
    if (known[name] === "toggle") values[name] = toggleOf(name, value);
    else if (value === undefined)
      throw new Failure(`the flag --${name} needs a value`, { hint: `as in --${name}=...` });
    else if (Array.isArray(before)) before.push(value);
    else values[name] = value;
    if (before !== undefined && !Array.isArray(before)) throw new Failure(`the flag --${name} is given twice`);
  }
  return values as { readonly [Name in keyof K]: FlagValue<K[Name]> };
}

function toggleOf(name: string, value: string | undefined): boolean {
  const lower = value?.toLowerCase() ?? "true";
  if (lower === "true" || lower === "false") return lower === "true";
  throw new Failure(`the flag --${name} is true or false, not '${value}'`);
}

function unknownFlag(keyword: string, name: string, nearest: string | undefined): Failure {
  const hint = nearest === undefined ? undefined : `did you mean --${nearest}?`;
  return new Failure(`${keyword} has no flag --${name}`, { hint });
}
