/**
 * Parser directives: comments at the very beginning of a Dockerfile, `# NAME=VALUE`, that say how it is to be read. Pure.
 *
 * Source: Dockerfile reference, "Parser directives".
 */
import { Failure } from "../failure.ts";
import type { Escape } from "./instruction.ts";

export interface Directive {
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

const KNOWN = ["escape", "syntax", "check"];
/** The frontends whose language this is. Their tags and digests choose a version of it; this is the current one. */
const OWN_SYNTAX = ["docker/dockerfile", "docker/dockerfile-upstream"];
const CHECK_OPTIONS = ["skip", "error", "experimental"];

/** The directive that a line is; undefined if it is any other line, after which there are no more. */
function directiveIn(text: string, line: number): Directive | undefined {
  const trimmed = text.trim();
  const equals = trimmed.indexOf("=");
  if (!trimmed.startsWith("#") || equals < 0) return undefined;
  const name = trimmed.slice(1, equals).trim().toLowerCase();
  const value = trimmed.slice(equals + 1).trim();
  return KNOWN.includes(name) && value !== "" ? { name, value, line } : undefined;
}

/** The directives of a file, in their order; a first line for the kernel, `#!`, is passed over. */
export function directivesOf(lines: readonly string[]): Directive[] {
  const found: Directive[] = [];
  const begin = lines[0]?.startsWith("#!") === true ? 1 : 0;
  for (let index = begin; index < lines.length; index++) {
    const directive = directiveIn(lines[index] ?? "", index + 1);
    if (directive === undefined) break;
    found.push(directive);
  }
  return found;
}

/** Refuses what is said wrongly, twice, or asks for another language than this. */
export function checkDirective({ name, value }: Directive, before: readonly Directive[]): void {
  if (before.some((other) => other.name === name)) throw new Failure(`the directive '${name}' is given twice`);
  if (name === "escape" && value !== "\\" && value !== "`") {
    throw new Failure(`'${value}' cannot be the escape character`, { hint: "use # escape=` or # escape=\\" });
  }
  if (name === "syntax") checkSyntax(value);
  // It is for docker's linter: there is none here that could be told, but what is said must make sense.
  if (name === "check") checkCheck(value);
}

function checkSyntax(value: string): void {
  const [image = ""] = value.split(" ");
  const path = image.startsWith("docker.io/") ? image.slice("docker.io/".length) : image;
  const end = path.split("").findIndex((character) => character === ":" || character === "@");
  if (OWN_SYNTAX.includes(end < 0 ? path : path.slice(0, end))) return;
  throw new Failure(`the syntax '${image}' is not understood`, {
    hint: "this builds what docker/dockerfile:1 builds; other frontends are programs of their own, which are not run",
  });
}

function checkCheck(value: string): void {
  for (const part of value.split(";")) {
    const [key = "", setting] = part.trim().split("=", 2);
    const isBoolean = setting === "true" || setting === "false";
    if (CHECK_OPTIONS.includes(key) && setting !== undefined && (key !== "error" || isBoolean)) continue;
    throw new Failure(`the directive 'check' does not take '${part.trim()}'`, {
      hint: "as in # check=skip=JSONArgsRecommended;error=true",
    });
  }
}

export function escapeOf(directives: readonly Directive[]): Escape {
  return directives.find(({ name }) => name === "escape")?.value === "`" ? "`" : "\\";
}
