/**
 * Dockerfile -> data. Pure.
 */
import { Failure } from "../failure.ts";
import { checkDirective, directivesOf, escapeOf } from "./directives.ts";
import type { Dockerfile, Escape, Instruction, Stage } from "./instruction.ts";
import { blankWords, type Parts, partsOf, readFlags } from "./instruction-words.ts";
import { LineReader, type LogicalLine } from "./logical-lines.ts";
import { parseAct } from "./parse-instruction.ts";

/** More than any Dockerfile that somebody wrote; those that programs write are smaller, too. */
export const DOCKERFILE_LIMIT_CHARACTERS = 2 * 1024 * 1024;
/** As BuildKit has it, of one line of the file. */
export const LINE_LIMIT_CHARACTERS = 65_535;
export const INSTRUCTIONS_LIMIT = 20_000;
export const STAGES_LIMIT = 1000;

const STAGE_NAME = /^[a-z][a-z0-9_.-]*$/;
const BYTE_ORDER_MARK = "\uFEFF";

/**
 * @param name of the file, for messages
 * @throws Failure that tells file and line
 */
export function parseDockerfile(text: string, name: string): Dockerfile {
  const lines = linesOf(text, name);
  const directives = directivesOf(lines);
  for (const [index, directive] of directives.entries()) {
    locate(name, directive.line, () => checkDirective(directive, directives.slice(0, index)));
  }
  const escapeBy = escapeOf(directives);
  const reader = new LineReader(lines, escapeBy);
  const globals: Instruction[] = [];
  const stages: { head: Omit<Stage, "instructions">; instructions: Instruction[] }[] = [];
  let count = 0;
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const { line: number, text: source } = line;
    locate(name, number, () => {
      if (++count > INSTRUCTIONS_LIMIT) throw new Failure(`there are more than ${INSTRUCTIONS_LIMIT} instructions`);
      const parts = partsOf(source, escapeBy);
      if (parts.keyword === "FROM") {
        if (stages.length >= STAGES_LIMIT) throw new Failure(`there are more than ${STAGES_LIMIT} stages`);
        stages.push({ head: parseFrom(parts, { line: number, text: source }), instructions: [] });
        return;
      }
      const instruction: Instruction = { ...parseAct(parts, escapeBy, reader), line: number, source };
      const stage = stages.at(-1);
      if (stage === undefined && instruction.kind !== "arg") throw beforeFrom(parts.keyword);
      (stage?.instructions ?? globals).push(instruction);
    });
  }
  if (stages.length === 0) {
    const hint = "a Dockerfile begins with FROM: an image to build on, or scratch";
    throw new Failure(`${name}: there is no FROM in it`, { hint });
  }
  return { escape: escapeBy, globals, stages: stages.map(({ head, instructions }) => ({ ...head, instructions })) };
}

/**
 * The instruction that ONBUILD has put into an image.
 * @param name where it is from, for messages
 */
export function parseTrigger(text: string, name: string): Instruction {
  const escapeBy: Escape = "\\";
  const reader = new LineReader(linesOf(text, name), escapeBy);
  const first = reader.next();
  if (first === undefined) throw new Failure(`${name}: there is no instruction in it`);
  const act = locate(name, first.line, () => {
    const parts = partsOf(first.text, escapeBy);
    if (["FROM", "MAINTAINER", "ONBUILD"].includes(parts.keyword)) {
      throw new Failure(`ONBUILD cannot be followed by ${parts.keyword}`);
    }
    return parseAct(parts, escapeBy, reader);
  });
  if (reader.next() !== undefined) throw new Failure(`${name}: there is more than one instruction in it`);
  return { ...act, line: first.line, source: first.text };
}

function linesOf(text: string, name: string): string[] {
  if (text.length > DOCKERFILE_LIMIT_CHARACTERS) {
    throw new Failure(`${name}: the file is larger than ${DOCKERFILE_LIMIT_CHARACTERS} characters`);
  }
  if (text.includes("\0")) throw new Failure(`${name}: it has a NUL in it, so it is no Dockerfile`);
  const lines = (text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text).split("\n");
  // What comes after the last end of a line is a line only if it is something.
  if (lines.at(-1) === "") lines.pop();
  const long = lines.findIndex((line) => line.length > LINE_LIMIT_CHARACTERS);
  if (long >= 0) throw new Failure(`${name}:${long + 1}: the line is longer than ${LINE_LIMIT_CHARACTERS} characters`);
  return lines;
}

/** Does something, whose failures are those of a line. */
function locate<T>(name: string, line: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`${name}:${line}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function beforeFrom(keyword: string): Failure {
  return new Failure(`${keyword} stands before the first FROM`, { hint: "only ARG may be there" });
}

function parseFrom(parts: Parts, { line, text }: LogicalLine): Omit<Stage, "instructions"> {
  const { platform } = readFlags("FROM", parts.flags, { platform: "text" });
  const words = blankWords(parts.rest);
  const [from, as, name] = words;
  if (from === undefined || ![1, 3].includes(words.length) || (as !== undefined && as.toUpperCase() !== "AS")) {
    throw new Failure("FROM takes an image, and a name after AS if the stage has one", {
      hint: "as in FROM alpine, or FROM golang:1.24 AS build",
    });
  }
  const lower = name?.toLowerCase();
  if (lower !== undefined && !STAGE_NAME.test(lower)) {
    throw new Failure(`'${name}' cannot be the name of a stage`, {
      hint: "names begin with a letter, and go on with letters, digits and '-_.'",
    });
  }
  return { line, source: text, from, platform, name: lower };
}
