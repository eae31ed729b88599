/**
 * Patterns for paths that are come to name by name, as a walk through directories comes to them. Pure.
 *
 * Most patterns are names between slashes, of which some are `**`: they are compared name by name. Those where `**` is but a
 * part of a name, or that match slashes otherwise, are read by character (glob.ts). Both mean the same.
 */
import { advance, begin, type Glob, isGlob, isMatch, matchesGlob, type Progress, parseGlob } from "./glob.ts";

type Part =
  | { readonly kind: "name"; readonly name: string }
  /** `*.o`, `a*`: one star and no more. */
  | { readonly kind: "ends"; readonly prefix: string; readonly suffix: string }
  | { readonly kind: "glob"; readonly glob: Glob }
  /** `**`: any number of directories; as the last, all that is below. */
  | { readonly kind: "directories" };

export type PathPattern =
  /** `**` and one name, which most are: it may be anywhere, so there is nothing to remember. */
  | { readonly kind: "anywhere"; readonly part: Part }
  | { readonly kind: "parts"; readonly parts: readonly Part[] }
  | { readonly kind: "characters"; readonly glob: Glob };

/** Where in a pattern a path may be. Empty: neither it nor anything below it matches. */
export type Reached = Progress;

/** @param text clean, as for parseGlob, with `**` */
export function parsePathPattern(text: string): PathPattern {
  const glob = parseGlob(text, true);
  const names = text.split("/");
  const isByName = names.every(
    (name) => name === "**" || !(name.includes("**") || name.includes("[") || name.includes("\\")),
  );
  if (!isByName) return { kind: "characters", glob };
  const parts = names.map(partOf);
  const [first, second] = parts;
  const isAnywhere = parts.length === 2 && first?.kind === "directories" && second?.kind !== "directories";
  return isAnywhere && second !== undefined ? { kind: "anywhere", part: second } : { kind: "parts", parts };
}

function partOf(name: string): Part {
  if (name === "**") return { kind: "directories" };
  if (!isGlob(name)) return { kind: "name", name };
  const star = name.indexOf("*");
  const [prefix, suffix] = [name.slice(0, star), name.slice(star + 1)];
  if (star >= 0 && !isGlob(prefix) && !isGlob(suffix)) return { kind: "ends", prefix, suffix };
  return { kind: "glob", glob: parseGlob(name, false) };
}

function isPart(part: Part | undefined, name: string): boolean {
  switch (part?.kind) {
    case undefined:
    case "directories":
      return false;
    case "name":
      return part.name === name;
    case "ends": {
      const { prefix, suffix } = part;
      return name.length >= prefix.length + suffix.length && name.startsWith(prefix) && name.endsWith(suffix);
    }
    case "glob":
      return matchesGlob(part.glob, name);
  }
}

/** Directories may be none, unless nothing comes after them. */
function reach(parts: readonly Part[], places: number[], place: number): void {
  for (let at = place; !places.includes(at); at++) {
    places.push(at);
    if (parts[at]?.kind !== "directories" || at === parts.length - 1) return;
  }
}

const ANYWHERE: Reached = [0];

/** The root of what is walked: no pattern matches it. */
export function start(pattern: PathPattern): Reached {
  if (pattern.kind === "anywhere") return ANYWHERE;
  if (pattern.kind === "characters") return begin(pattern.glob);
  const places: number[] = [];
  reach(pattern.parts, places, 0);
  return places;
}

/** A name in what was reached; "match" if it, and so all below it, matches. */
export function go(pattern: PathPattern, from: Reached, name: string, isFirst: boolean): Reached | "match" {
  if (pattern.kind === "anywhere") return isPart(pattern.part, name) ? "match" : from;
  if (pattern.kind === "characters") {
    const places = advance(pattern.glob, from, isFirst ? name : `/${name}`);
    return isMatch(pattern.glob, places) ? "match" : places;
  }
  const { parts } = pattern;
  const places: number[] = [];
  for (const place of from) {
    const part = parts[place];
    const after = part?.kind === "directories" ? place : isPart(part, name) ? place + 1 : undefined;
    if (after === undefined) continue;
    // The last `**` has this name, and all below it.
    if (after === parts.length || (after === place && place === parts.length - 1)) return "match";
    reach(parts, places, after);
  }
  return places;
}

/** Whether anything below what was reached may match. */
export function mayGoOn(pattern: PathPattern, from: Reached): boolean {
  return (pattern.kind === "characters" ? advance(pattern.glob, from, "/") : from).length > 0;
}
