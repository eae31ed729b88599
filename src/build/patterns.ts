/**
 * `.dockerignore`, and lists of patterns like it: COPY --exclude. Pure.
 *
 * A path is ignored if the last pattern that matches it, or a directory that it is in, does not begin with `!`.
 * Source: "Build context", .dockerignore files; moby/patternmatcher.
 */
import { Failure } from "../failure.ts";
import { go, mayGoOn, type PathPattern, parsePathPattern, type Reached, start } from "./path-pattern.ts";

const PATTERNS_LIMIT = 10_000;
const BYTE_ORDER_MARK = "\uFEFF";

interface Rule {
  readonly pattern: PathPattern;
  /** `!`: what it matches is kept. */
  readonly keeps: boolean;
}

export interface Ignore {
  readonly rules: readonly Rule[];
}

/** How Go writes a path: without `.`, without `..` but at the beginning, with one slash where there are many. */
export function cleanPath(path: string): string {
  const rooted = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== ".." || (!rooted && (parts.length === 0 || parts.at(-1) === ".."))) parts.push(part);
    else parts.pop();
  }
  const clean = parts.join("/");
  return rooted ? `/${clean}` : clean === "" ? "." : clean;
}

/**
 * The patterns of a file: one a line; a line that begins with # is a comment.
 * @param name of the file, for messages
 */
export function parseIgnore(text: string, name = ".dockerignore"): Ignore {
  const lines = (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split("\n");
  const rules = lines.flatMap((line, index) => {
    if (line.startsWith("#")) return [];
    try {
      return ruleOf(line);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(`${name}:${index + 1}: ${error.message}`, { hint: error.hint, cause: error });
    }
  });
  return checked(rules, name);
}

/** Patterns that are given one by one. */
export function ignoreOf(patterns: readonly string[]): Ignore {
  return checked(patterns.flatMap(ruleOf), "patterns");
}

function checked(rules: readonly Rule[], name: string): Ignore {
  if (rules.length > PATTERNS_LIMIT) throw new Failure(`${name}: there are more than ${PATTERNS_LIMIT} patterns`);
  return { rules };
}

function ruleOf(line: string): Rule[] {
  const text = line.trim();
  const keeps = text.startsWith("!");
  const pattern = (keeps ? text.slice(1) : text).trim();
  if (pattern === "") {
    if (keeps) throw new Failure("'!' stands alone", { hint: "after it comes the pattern of what is not ignored" });
    return [];
  }
  const clean = cleanPath(pattern);
  // A slash at the beginning means nothing: all patterns begin at the root of the context.
  const path = clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean;
  return [{ pattern: parsePathPattern(cleanPath(path.trim())), keeps }];
}

/** A pattern that has not matched yet, and may. */
interface Open {
  readonly index: number;
  readonly reached: Reached;
}

/** A path, as the patterns see it: made from the place of its directory, so that a walk costs each name once. */
export interface Place {
  readonly ignore: Ignore;
  /** Only those after the last that matched: others make no difference below either. */
  readonly open: readonly Open[];
  /** The last pattern that has matched it, or a directory that it is in; -1: none has. */
  readonly last: number;
  readonly isRoot: boolean;
  readonly ignored: boolean;
}

export function rootPlace(ignore: Ignore): Place {
  const open = ignore.rules.map(({ pattern }, index) => ({ index, reached: start(pattern) }));
  return { ignore, open, last: -1, isRoot: true, ignored: false };
}

/** The place of a name in a directory. */
export function enter(place: Place, name: string): Place {
  const { ignore, isRoot } = place;
  let { last } = place;
  let open: Open[] = [];
  for (const before of place.open) {
    const { index, reached } = before;
    const rule = ignore.rules[index];
    if (rule === undefined) continue;
    const after = go(rule.pattern, reached, name, isRoot);
    if (after === "match") [last, open] = [index, []];
    else if (after.length > 0) open.push(after === reached ? before : { index, reached: after });
  }
  return { ignore, open, last, isRoot: false, ignored: ignore.rules[last]?.keeps === false };
}

/** Whether nothing below a directory is kept either: then there is no need to look. */
export function canSkip({ ignore, open, ignored }: Place): boolean {
  if (!ignored) return false;
  return !open.some(({ index, reached }) => {
    const rule = ignore.rules[index];
    return rule?.keeps === true && mayGoOn(rule.pattern, reached);
  });
}

/** Whether a path below the context is ignored, `a/b`; the context itself never is. */
export function ignores(ignore: Ignore, path: string): boolean {
  let place = rootPlace(ignore);
  for (const name of path.split("/")) if (name !== "") place = enter(place, name);
  return place.ignored;
}
