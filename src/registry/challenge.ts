/**
 * What a registry asks for in `WWW-Authenticate`: RFC 9110, section 11.6.1. Pure.
 */

export interface Challenge {
  /** In lower case: "bearer", "basic". */
  readonly scheme: string;
  /** By names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** Nobody sends more. */
const LENGTH_LIMIT = 8192;
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const BLANKS = /[ \t,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;

/** Reads a header from its beginning to its end. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  /** A token, or a quoted string without its quotes; undefined if there is neither. */
  value(): string | undefined {
    if (this.#text[this.#at] !== '"') return this.match(TOKEN);
    let value = "";
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const letter = this.#text[at];
      if (letter === '"') {
        this.#at = at + 1;
        return value;
      }
      value += letter === "\\" ? (this.#text[++at] ?? "") : letter;
    }
    return undefined;
  }
}

/** The challenges of a header, up to the first that cannot be read. */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  if (header.length > LENGTH_LIMIT) return challenges;
  const reader = new Reader(header);
  for (;;) {
    reader.match(BLANKS);
    const name = reader.match(TOKEN)?.toLowerCase();
    if (name === undefined) return challenges;
    if (reader.match(EQUALS) === undefined) {
      challenges.push({ scheme: name, parameters: new Map() });
      continue;
    }
    const value = reader.value();
    if (value === undefined) return challenges;
    challenges.at(-1)?.parameters.set(name, value);
  }
}
