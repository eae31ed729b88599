/**
 * Patterns for paths: Go's filepath.Match, and `**` as moby/patternmatcher has it. Pure; a path is read once, character by
 * character, with the set of places in the pattern that it may have come to: no pattern makes that slow.
 *
 * `*` any text without a slash, `?` any character but a slash, `[a-z]` `[^a-z]` one of a class, `\x` x itself;
 * `**` any text, `**` and a slash nothing or any directories.
 */
import { Failure } from "../failure.ts";

const PATTERN_LIMIT_CHARACTERS = 4096;

type Token =
  | { readonly kind: "character"; readonly character: string }
  | { readonly kind: "one" }
  | {
      readonly kind: "class";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [from: number, to: number])[];
    }
  /** Any text without a slash. */
  | { readonly kind: "some" }
  | { readonly kind: "any" }
  /** Nothing, or any text that ends with a slash. */
  | { readonly kind: "directories" };

export interface Glob {
  readonly text: string;
  readonly tokens: readonly Token[];
}

/** Whether a text means more than the path that it is. */
export const isGlob = (text: string): boolean => /[*?[\\]/.test(text);

/**
 * @param text a path that is clean: relative, without `.`, `..` or more slashes than are needed
 * @param doubleStar whether `**` is more than a `*`
 */
export function parseGlob(text: string, doubleStar: boolean): Glob {
  if (text.length > PATTERN_LIMIT_CHARACTERS)
    throw bad(text, `it is longer than ${PATTERN_LIMIT_CHARACTERS} characters`);
  const characters = [...text];
  const tokens: Token[] = [];
  let at = 0;
  while (at < characters.length) {
    const character = characters[at++] ?? "";
    if (character === "*" && doubleStar && characters[at] === "*") {
      at++;
      const slash = characters[at] === "/";
      if (slash) at++;
      tokens.push(doubleStarAt(characters, at, tokens.length === 0 && !slash));
    } else if (character === "*") tokens.push({ kind: "some" });
    else if (character === "?") tokens.push({ kind: "one" });
    else if (character === "\\") {
      const next = characters[at++];
      if (next === undefined) throw bad(text, "it ends with a backslash");
      tokens.push({ kind: "character", character: next });
    } else if (character === "[") {
      const { token, end } = classAt(characters, at, text);
      tokens.push(token);
      at = end;
    } else tokens.push({ kind: "character", character });
  }
  return { text, tokens };
}

/** At the end `**` is anything. At the beginning `**x` is all that ends with x, if x is but text; else it ends with a slash. */
function doubleStarAt(characters: readonly string[], after: number, first: boolean): Token {
  const rest = characters.slice(after);
  if (rest.length === 0) return { kind: "any" };
  return { kind: first && !isGlob(rest.join("")) ? "any" : "directories" };
}

function classAt(characters: readonly string[], begin: number, text: string): { token: Token; end: number } {
  let at = begin;
  const negated = characters[at] === "^";
  if (negated) at++;
  const one = (): number => {
    let character = characters[at++];
    if (character === "\\") character = characters[at++];
    else if (character === "-" || character === "]") throw bad(text, `'${character}' in brackets needs a backslash`);
    if (character === undefined) throw bad(text, "a bracket is not closed");
    return character.codePointAt(0) ?? 0;
  };
  const ranges: [number, number][] = [];
  do {
    const from = one();
    let to = from;
    if (characters[at] === "-") {
      at++;
      to = one();
    }
    ranges.push([from, to]);
  } while (characters[at] !== "]");
  return { token: { kind: "class", negated, ranges }, end: at + 1 };
}

function bad(text: string, reason: string): Failure {
  return new Failure(`bad pattern '${text}': ${reason}`, {
    hint: "patterns have *, **, ?, [a-z], and \\ before what is to mean itself",
  });
}

/**
 * Where in a pattern a path may be: indices of tokens that come next, the number of tokens for the end; for `directories`
 * that have begun and want a slash, the index plus half. Empty: nothing that begins so can match.
 */
export type Progress = readonly number[];
const BEGUN = 0.5;

function add(places: number[], place: number): void {
  if (!places.includes(place)) places.push(place);
}

/** All places that are reached without reading anything. */
function settle(tokens: readonly Token[], places: number[]): Progress {
  // A list that grows while it is walked is walked to its end.
  for (const place of places) {
    const kind = tokens[place]?.kind;
    if (kind === "some" || kind === "any" || kind === "directories") add(places, place + 1);
  }
  return places;
}

export function begin({ tokens }: Glob): Progress {
  return settle(tokens, [0]);
}

export function advance({ tokens }: Glob, progress: Progress, text: string): Progress {
  let current = progress;
  for (const character of text) {
    if (current.length === 0) return current;
    const next: number[] = [];
    for (const place of current) step(tokens[Math.floor(place)], place, character, next);
    current = settle(tokens, next);
  }
  return current;
}

function step(token: Token | undefined, place: number, character: string, next: number[]): void {
  const isSlash = character === "/";
  switch (token?.kind) {
    case undefined:
      return;
    case "character":
      if (character === token.character) add(next, place + 1);
      return;
    case "one":
      if (!isSlash) add(next, place + 1);
      return;
    case "class":
      // Of a slash, too: `[^a]` matches it for Go.
      if (isIn(token, character.codePointAt(0) ?? 0)) add(next, place + 1);
      return;
    case "some":
      if (!isSlash) add(next, place);
      return;
    case "any":
      add(next, place);
      return;
    case "directories": {
      const index = Math.floor(place);
      add(next, index + BEGUN);
      if (isSlash) add(next, index + 1);
      return;
    }
  }
}

function isIn({ negated, ranges }: Extract<Token, { kind: "class" }>, code: number): boolean {
  return ranges.some(([from, to]) => code >= from && code <= to) !== negated;
}

export const isMatch = ({ tokens }: Glob, progress: Progress): boolean => progress.includes(tokens.length);

export function matchesGlob(glob: Glob, path: string): boolean {
  return isMatch(glob, advance(glob, begin(glob), path));
}

/** Whether anything below a directory may match: where not, there is no need to look. The root's path is "". */
export function mayMatchBelow(glob: Glob, directory: string): boolean {
  return advance(glob, begin(glob), directory === "" ? "" : `${directory}/`).length > 0;
}
