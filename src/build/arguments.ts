/**
 * ARG: which variables there are, where, and what they are. Pure.
 *
 * Source: Dockerfile reference, "ARG".
 * - Before the first FROM, ARG is seen by FROM, and by ARG of a stage that has no default.
 * - In a stage, ARG is seen from its line on, by the instructions and the programs that they run; ENV of the same name, of the
 *   stage or of its image, counts before it.
 * - A stage that is built on another has the ARGs of that one.
 */
import { Failure } from "../failure.ts";
import { type Platform, platformText } from "../image/platform.ts";
import type { Dockerfile, Escape, Instruction } from "./instruction.ts";
import { expandWord, type Lookup } from "./lexer.ts";

type ArgInstruction = Extract<Instruction, { kind: "arg" }>;
/** Name -> value; undefined: it is declared, and has no value. */
export type Arguments = ReadonlyMap<string, string | undefined>;

/** They need no ARG to be seen by programs, and are not part of what an image is made of. */
export const PROXY_ARGUMENTS: readonly string[] = [
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "FTP_PROXY",
  "NO_PROXY",
  "ALL_PROXY",
].flatMap((name) => [name, name.toLowerCase()]);
/** Arguments for BuildKit, which are not for a Dockerfile. */
const BUILDER_PREFIX = "BUILDKIT_";
const NO_STAGE = "default";

export interface BuildPlatforms {
  /** What is built on: ours. */
  readonly build: Platform;
  /** What is built for. */
  readonly target: Platform;
}

/** Those that are there without being given; in a stage they are seen after `ARG NAME`. */
export function predefinedArguments({ build, target }: BuildPlatforms, stage: string | undefined): Map<string, string> {
  return new Map([
    ["BUILDPLATFORM", platformText(build)],
    ["BUILDOS", build.os],
    ["BUILDOSVERSION", ""],
    ["BUILDARCH", build.architecture],
    ["BUILDVARIANT", build.variant],
    ["TARGETPLATFORM", platformText(target)],
    ["TARGETOS", target.os],
    ["TARGETOSVERSION", ""],
    ["TARGETARCH", target.architecture],
    ["TARGETVARIANT", target.variant],
    ["TARGETSTAGE", stage ?? NO_STAGE],
  ]);
}

export interface Given {
  /** By --build-arg. */
  readonly values: Readonly<Record<string, string>>;
  readonly predefined: ReadonlyMap<string, string>;
}

const valueGiven = ({ values }: Given, name: string): string | undefined =>
  Object.hasOwn(values, name) ? values[name] : undefined;

/** The ARGs before the first FROM. Each sees those before it, and what is predefined. */
export function globalArguments(dockerfile: Dockerfile, given: Given): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (const [name, value] of given.predefined) found.set(name, valueGiven(given, name) ?? value);
  for (const instruction of dockerfile.globals) {
    if (instruction.kind !== "arg") continue;
    for (const { name, value } of instruction.args) {
      const lookup: Lookup = (other) => found.get(other);
      const own = valueGiven(given, name) ?? defaultOf(instruction, value, lookup, dockerfile.escape);
      // ARG NAME of what is predefined, or was set before, takes nothing away.
      if (own !== undefined || !found.has(name)) found.set(name, own);
    }
  }
  return found;
}

export interface StageScope {
  readonly args: Arguments;
  /** The stage's ENV, with that of what it is built on. */
  readonly env: ReadonlyMap<string, string>;
}

/** How a stage's instructions see variables. */
export function lookupIn({ args, env }: StageScope): Lookup {
  return (name) => env.get(name) ?? args.get(name);
}

/**
 * A stage's ARGs after an ARG of it. What counts is, first of all, what is given; then the default, which sees what is before
 * it, of the same instruction too; then, if there is none, the ARG before the first FROM.
 */
export function declareArguments(
  instruction: ArgInstruction,
  scope: StageScope,
  globals: Arguments,
  given: Given,
  escapeBy: Escape,
): Map<string, string | undefined> {
  const args = new Map(scope.args);
  for (const { name, value } of instruction.args) {
    const lookup = lookupIn({ args, env: scope.env });
    const own = valueGiven(given, name) ?? defaultOf(instruction, value, lookup, escapeBy);
    args.set(name, own ?? globals.get(name));
  }
  return args;
}

function defaultOf(
  { line }: ArgInstruction,
  value: string | undefined,
  lookup: Lookup,
  escapeBy: Escape,
): string | undefined {
  if (value === undefined) return undefined;
  try {
    return expandWord(value, { lookup, escape: escapeBy });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`line ${line}: ARG: ${error.message}`, { hint: error.hint, cause: error });
  }
}

/** `NAME=VALUE` of what a RUN is given besides ENV, and what of it a cache must know: proxies are none of that. */
export function runArguments({ args, env }: StageScope, given: Given): { seen: string[]; proxies: string[] } {
  const seen: string[] = [];
  for (const [name, value] of args) if (value !== undefined && !env.has(name)) seen.push(`${name}=${value}`);
  const proxies = PROXY_ARGUMENTS.flatMap((name) => {
    const value = valueGiven(given, name);
    return value === undefined || args.has(name) || env.has(name) ? [] : [`${name}=${value}`];
  });
  return { seen, proxies };
}

/** What --build-arg gives and no ARG takes: worth a warning. */
export function unusedArguments({ globals, stages }: Dockerfile, { values, predefined }: Given): string[] {
  const declared = new Set([...PROXY_ARGUMENTS, ...predefined.keys()]);
  for (const instruction of [...globals, ...stages.flatMap((stage) => stage.instructions)]) {
    if (instruction.kind === "arg") for (const { name } of instruction.args) declared.add(name);
  }
  return Object.keys(values).filter((name) => !declared.has(name) && !name.startsWith(BUILDER_PREFIX));
}
