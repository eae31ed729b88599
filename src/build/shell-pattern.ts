/**
 * The patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*` is any text, `?` any character, a backslash takes their meaning away.
 * Pure, and without backtracking: a star's text ends where the text after it is found first, or last.
 *
 * Source: Dockerfile reference, "Environment replacement"; there are no brackets in these patterns.
 */
import { Failure } from "../failure.ts";

/** Of pattern and text together, multiplied: what finding one in the other costs at most. */
const COST_LIMIT = 64 * 1024 * 1024;

/** Characters; `undefined` is any one. */
type Segment = readonly (string | undefined)[];
/** Between them are stars. */
export type ShellPattern = readonly Segment[];

/** Characters of a text as a person counts them, not as UTF-16 does. */
export type Characters = readonly string[];

export function parseShellPattern(text: string): ShellPattern {
  const segments: (string | undefined)[][] = [[]];
  const characters = [...text];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") segments.push([]);
    else if (character === "?") segments.at(-1)?.push(undefined);
    else if (character === "\\") segments.at(-1)?.push(escapedIn(characters[++at], text));
    else segments.at(-1)?.push(character);
  }
  return segments;
}

/** What a backslash may stand before: what would mean something else without it. */
function escapedIn(character: string | undefined, text: string): string {
  if (character !== undefined && "*?\\/}".includes(character)) return character;
  throw new Failure(`in the pattern '${text}' a backslash stands before what needs none`);
}

const reversed = (pattern: ShellPattern): ShellPattern => pattern.toReversed().map((segment) => segment.toReversed());

function checkCost(pattern: ShellPattern, text: Characters): void {
  const length = pattern.reduce((sum, segment) => sum + segment.length + 1, 0);
  if (length * text.length > COST_LIMIT)
    throw new Failure("the pattern and the text that it is looked for in are too long");
}

function isAt(segment: Segment, text: Characters, at: number): boolean {
  if (at + segment.length > text.length) return false;
  return segment.every((character, index) => character === undefined || character === text[at + index]);
}

/** Where a segment is found first at or after a place, or last; -1 if nowhere. */
function find(segment: Segment, text: Characters, from: number, last: boolean): number {
  const end = text.length - segment.length;
  if (last) {
    for (let at = end; at >= from; at--) if (isAt(segment, text, at)) return at;
  } else {
    for (let at = from; at <= end; at++) if (isAt(segment, text, at)) return at;
  }
  return -1;
}

/** Where a match that begins at a place ends, the shortest or the longest there is; -1 if there is none. */
function matchAt(pattern: ShellPattern, text: Characters, begin: number, longest: boolean): number {
  const [first = [], ...others] = pattern;
  if (!isAt(first, text, begin)) return -1;
  let at = begin + first.length;
  for (const [index, segment] of others.entries()) {
    const found = find(segment, text, at, longest && index === others.length - 1);
    if (found < 0) return -1;
    at = found + segment.length;
  }
  return at;
}

/** A text without the match that it begins with. */
export function withoutPrefix(pattern: ShellPattern, text: string, longest: boolean): string {
  const characters = [...text];
  checkCost(pattern, characters);
  const end = matchAt(pattern, characters, 0, longest);
  return end < 0 ? text : characters.slice(end).join("");
}

/** A text without the match that it ends with. */
export function withoutSuffix(pattern: ShellPattern, text: string, longest: boolean): string {
  const characters = [...text].reverse();
  checkCost(pattern, characters);
  const end = matchAt(reversed(pattern), characters, 0, longest);
  return end < 0 ? text : characters.slice(end).reverse().join("");
}

/** A text with the first match, or all of them, in place of each another text. Matches are the longest that there are. */
export function replaced(pattern: ShellPattern, text: string, replacement: string, all: boolean): string {
  const characters = [...text];
  checkCost(pattern, characters);
  const result: string[] = [];
  let at = 0;
  let lastEnd = -1;
  while (at <= characters.length) {
    const begin = find(pattern[0] ?? [], characters, at, false);
    const end = begin < 0 ? -1 : matchAt(pattern, characters, begin, true);
    // If what comes after the first star is not found from here, it is not found from any later place.
    if (end < 0) break;
    result.push(characters.slice(at, begin).join(""));
    // Nothing, right after a match, is no match.
    if (end > begin || begin !== lastEnd) result.push(replacement);
    if (end === begin) result.push(characters[begin] ?? "");
    at = end === begin ? end + 1 : end;
    lastEnd = end;
    if (!all) break;
  }
  return result.join("") + characters.slice(at).join("");
}
