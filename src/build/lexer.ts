/**
 * Words of a Dockerfile with variables put in and quotes taken away, as BuildKit's lexer does it: nearly as a shell. Pure.
 *
 * Source: Dockerfile reference, "Environment replacement"; POSIX shell, "Parameter Expansion".
 */
import { Failure } from "../failure.ts";
import type { Escape } from "./instruction.ts";
import { parseShellPattern, replaced, withoutPrefix, withoutSuffix } from "./shell-pattern.ts";

/** The value of a variable; undefined if it is not set. */
export type Lookup = (name: string) => string | undefined;

/** As Linux has it, of one variable or argument of a program: MAX_ARG_STRLEN of execve(2). */
export const RESULT_LIMIT_CHARACTERS = 128 * 1024;
/** `${a:-${b:-…}}`. */
const DEPTH_LIMIT = 64;
const SPECIAL = "@*#?-$!0";
const LETTER = /^[\p{L}\p{Nd}_]$/u;
const DIGIT = /^\p{Nd}$/u;
const BLANK = /^\s$/u;

export interface LexOptions {
  readonly lookup: Lookup;
  readonly escape: Escape;
  /** Whether quotes are text: in heredocs. */
  readonly rawQuotes?: boolean;
  readonly limitCharacters?: number;
}

/** A text as one word, whatever blanks there are in it. */
export function expandWord(text: string, options: LexOptions): string {
  return lex(text, options).text;
}

/** The words of a text: blanks separate, also those of variables, if they are not in quotes. */
export function expandWords(text: string, options: LexOptions): string[] {
  return lex(text, options).words;
}

function lex(text: string, options: LexOptions): Result {
  const lexer = new Lexer(text, options);
  const result = lexer.until(undefined, false);
  return { text: result.text, words: result.words };
}

interface Result {
  readonly text: string;
  readonly words: string[];
}

/** Collects a text, and the words that it is of. */
class Collector implements Result {
  text = "";
  #word = "";
  readonly #words: string[] = [];

  /** What separates words if it is blank. */
  add(text: string): void {
    this.text += text;
    for (const character of text) {
      if (!BLANK.test(character)) this.#word += character;
      else this.#end();
    }
  }

  /** What is part of a word, whatever it is. */
  addRaw(text: string): void {
    this.text += text;
    this.#word += text;
  }

  #end(): void {
    if (this.#word !== "") this.#words.push(this.#word);
    this.#word = "";
  }

  get words(): string[] {
    this.#end();
    return this.#words;
  }
}

class Lexer {
  readonly #characters: readonly string[];
  readonly #options: LexOptions;
  readonly #limit: number;
  #at = 0;
  #depth = 0;
  /** Whether escape characters stay: patterns read them themselves. */
  #rawEscapes = false;
  /** Whether what is read is a pattern, where an escape character in quotes must be escaped to stay one. */
  #inPattern = false;

  constructor(text: string, options: LexOptions) {
    this.#characters = [...text];
    this.#options = options;
    this.#limit = options.limitCharacters ?? RESULT_LIMIT_CHARACTERS;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #next(): string | undefined {
    return this.#characters[this.#at++];
  }

  /** Reads up to a character that ends it, or the end of the text. */
  until(stop: string | undefined, rawEscapes: boolean, inPattern = false): Collector {
    if (++this.#depth > DEPTH_LIMIT) throw new Failure(`variables within variables are more than ${DEPTH_LIMIT} deep`);
    const before = [this.#rawEscapes, this.#inPattern] as const;
    [this.#rawEscapes, this.#inPattern] = [rawEscapes, inPattern];
    const found = new Collector();
    const { rawQuotes = false, escape: token } = this.#options;
    for (;;) {
      const character = this.#peek();
      if (character === stop) break;
      if (character === undefined) throw new Failure(`the '${stop}' is missing that ends a variable`);
      if (character === "$") found.add(this.#dollar());
      else if (character === "'" && !rawQuotes) found.addRaw(this.#singleQuoted());
      else if (character === '"' && !rawQuotes) found.addRaw(this.#doubleQuoted());
      else if (character === token) found.addRaw(this.#escaped());
      else found.add(this.#next() ?? "");
      if (found.text.length > this.#limit) throw new Failure(`the text is longer than ${this.#limit} characters`);
    }
    this.#at++;
    [this.#rawEscapes, this.#inPattern] = before;
    this.#depth--;
    return found;
  }

  /** Outside of quotes, the character after an escape character is nothing but itself. */
  #escaped(): string {
    const token = this.#next() ?? "";
    return (this.#rawEscapes ? token : "") + (this.#next() ?? "");
  }

  #singleQuoted(): string {
    const begin = this.#at + 1;
    const end = this.#characters.indexOf("'", begin);
    if (end < 0) throw new Failure("a single quote is not closed");
    this.#at = end + 1;
    const text = this.#characters.slice(begin, end).join("");
    const token = this.#options.escape;
    return this.#inPattern ? text.replaceAll(token, token + token) : text;
  }

  /** In double quotes an escape character means something only before quotes, `$` and itself. */
  #doubleQuoted(): string {
    const token = this.#options.escape;
    let text = "";
    this.#at++;
    for (;;) {
      const character = this.#next();
      if (character === undefined) throw new Failure("a double quote is not closed");
      if (character === '"') return text;
      if (character === "$") {
        this.#at--;
        text += this.#dollar();
      } else if (character === token) {
        const next = this.#peek();
        const isEscape = next === '"' || next === "$" || next === token;
        if (this.#rawEscapes) text += character;
        if (isEscape) text += this.#next();
        else if (next !== undefined) text += character;
      } else text += character;
      if (text.length > this.#limit) throw new Failure(`the text is longer than ${this.#limit} characters`);
    }
  }

  #dollar(): string {
    this.#at++;
    if (this.#peek() !== "{") {
      const name = this.#name();
      return name === "" ? "$" : (this.#options.lookup(name) ?? "");
    }
    this.#at++;
    const name = this.#name();
    const operator = this.#next();
    if (operator === undefined) throw new Failure(`the '}' of \${${name} is missing`);
    if (name === "") throw new Failure(`\${${operator} is no variable`);
    const value = this.#options.lookup(name);
    switch (operator) {
      case "}":
        return value ?? "";
      case ":": {
        const after = this.#next() ?? "";
        if (after !== "" && "-+?".includes(after))
          return this.#alternative(name, after, value === "" ? undefined : value, true);
        throw new Failure(`\${${name}:${after} is not understood`, { hint: "after ':' stand -, + or ?" });
      }
      case "-":
      case "+":
      case "?":
        return this.#alternative(name, operator, value, false);
      case "#":
      case "%":
        return this.#trimmed(operator, value ?? "");
      case "/":
        return this.#replaced(value ?? "");
      default:
        throw new Failure(`\${${name}${operator} is not understood`, {
          hint: "after the name stand }, :-, :+, :?, #, % or /",
        });
    }
  }

  /** `-`, `+` and `?`: the word is read even where it is not needed, for it must be well-formed. */
  #alternative(name: string, operator: string, value: string | undefined, emptyIsUnset: boolean): string {
    const word = this.until("}", false).text;
    if (operator === "-") return value ?? word;
    if (operator === "+") return value === undefined ? "" : word;
    if (value !== undefined) return value;
    const reason = emptyIsUnset ? "it may not be unset or empty" : "it may not be unset";
    throw new Failure(`${name}: ${word === "" ? reason : word}`, { hint: `set it with --build-arg ${name}=VALUE` });
  }

  #trimmed(operator: "#" | "%", value: string): string {
    const word = this.until("}", true, true).text;
    const longest = word.startsWith(operator);
    const pattern = parseShellPattern(longest ? word.slice(1) : word);
    return operator === "#" ? withoutPrefix(pattern, value, longest) : withoutSuffix(pattern, value, longest);
  }

  #replaced(value: string): string {
    const all = this.#peek() === "/";
    if (all) this.#at++;
    const pattern = parseShellPattern(this.until("/", true, true).text);
    const replacement = this.until("}", true).text;
    return replaced(pattern, value, replacement, all);
  }

  /** A name, a number, or one of the shell's special parameters, which are never set here. */
  #name(): string {
    const first = this.#peek() ?? "";
    if (DIGIT.test(first)) return this.#while(DIGIT);
    if (first !== "" && SPECIAL.includes(first)) return this.#next() ?? "";
    return this.#while(LETTER);
  }

  #while(form: RegExp): string {
    const begin = this.#at;
    while (form.test(this.#peek() ?? "")) this.#at++;
    return this.#characters.slice(begin, this.#at).join("");
  }
}
