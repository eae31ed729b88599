/**
 * `<<NAME`: where in an instruction a text begins that follows it. Pure.
 *
 * Source: Dockerfile reference, "Here-Documents". A name stands at the beginning of a word: `cat <<EOF`, `3<<EOF`, not `cat<<EOF`.
 */
import { Failure } from "../failure.ts";
import type { Heredoc } from "./instruction.ts";
import type { LineReader } from "./logical-lines.ts";

const HEREDOCS_LIMIT = 64;
/** Of a descriptor's number: more is no descriptor. */
const DIGITS_LIMIT = 4;

export interface HeredocMark {
  readonly name: string;
  /** `<<-`: tabs at the beginning of lines are taken away. */
  readonly chomp: boolean;
  readonly expand: boolean;
  readonly descriptor: number;
}

const isBlank = (character: string): boolean => character === " " || character === "\t";
const isDigit = (character: string): boolean => character >= "0" && character <= "9";

/** What a word is that begins a heredoc; undefined for any other. */
export function markOf(word: string): HeredocMark | undefined {
  let at = 0;
  while (isDigit(word.charAt(at))) at++;
  if (at > DIGITS_LIMIT || !word.startsWith("<<", at)) return undefined;
  const chomp = word.charAt(at + 2) === "-";
  const rest = word.slice(at + (chomp ? 3 : 2)).trim();
  if (rest === "" || rest.includes("<")) return undefined;
  const name = unquoted(rest);
  return name === undefined ? undefined : { ...name, chomp, descriptor: Number(word.slice(0, at)) };
}

/** A name without its quotes, which say that no variables are put in; undefined if it is more than one word. */
function unquoted(text: string): { name: string; expand: boolean } | undefined {
  let name = "";
  let quote = "";
  let expand = true;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "\\" && quote === "") name += text.charAt(++at);
    else if (quote !== "" && character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) [quote, expand] = [character, false];
    else if (quote === "" && isBlank(character)) return undefined;
    else name += character;
  }
  if (quote !== "") throw new Failure(`the quotes of the heredoc's name ${text} are not closed`);
  return name === "" ? undefined : { name, expand };
}

/**
 * The words of a shell's command line, with their quotes; `<<` belongs to the word after it. In `$((1 << 2))` there are none.
 * This is not the shell's own grammar: it finds what BuildKit finds.
 */
export function shellWords(text: string): string[] {
  const found: string[] = [];
  let begin = 0;
  let at = 0;
  const end = (): void => {
    if (at > begin) found.push(text.slice(begin, at));
  };
  while (at < text.length) {
    const character = text.charAt(at);
    if (isBlank(character)) {
      end();
      begin = ++at;
    } else if (character === "\\") at += 2;
    else if (character === "'" || character === '"') at = afterQuote(text, at);
    else if (text.startsWith("$((", at)) at = afterArithmetic(text, at);
    else if (text.startsWith("<<", at)) at = afterMark(text, at);
    else at++;
  }
  at = text.length;
  end();
  return found;
}

function afterQuote(text: string, begin: number): number {
  const quote = text.charAt(begin);
  for (let at = begin + 1; at < text.length; at++) {
    if (text.charAt(at) === "\\" && quote === '"') at++;
    else if (text.charAt(at) === quote) return at + 1;
  }
  return text.length;
}

function afterArithmetic(text: string, begin: number): number {
  const end = text.indexOf("))", begin);
  return end < 0 ? text.length : end + 2;
}

function afterMark(text: string, begin: number): number {
  let at = begin + 2;
  if (text.charAt(at) === "-") at++;
  while (isBlank(text.charAt(at))) at++;
  return at;
}

/** The marks among words, in their order. */
export function marksAmong(words: readonly string[]): HeredocMark[] {
  const marks = words.flatMap((word) => (word.includes("<<") ? (markOf(word) ?? []) : []));
  if (marks.length > HEREDOCS_LIMIT) throw new Failure(`there are more than ${HEREDOCS_LIMIT} heredocs`);
  return marks;
}

/** The texts that marks stand for: the lines that follow, one text after another. */
export function readHeredocs(marks: readonly HeredocMark[], lines: LineReader): Heredoc[] {
  return marks.map(({ name, chomp, expand, descriptor }) => {
    const text = lines.heredoc(name, chomp);
    if (text !== undefined) return { name, text, expand, descriptor };
    throw new Failure(`the heredoc <<${name} does not end`, {
      hint: `a line with nothing but ${name} ends it; the name itself ends at a blank`,
    });
  });
}
