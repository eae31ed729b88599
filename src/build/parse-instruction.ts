/**
 * One instruction of a stage. Pure.
 *
 * Source: Dockerfile reference; BuildKit's frontend where it says no more.
 */
import { Failure, nearestOf } from "../failure.ts";
import type { Act, Escape } from "./instruction.ts";
import {
  blankWords,
  commandOf,
  firstWord,
  jsonWords,
  type Parts,
  partsOf,
  quotedWords,
  readFlags,
} from "./instruction-words.ts";
import type { LineReader } from "./logical-lines.ts";
import { parseHealthcheck, parseRun } from "./parse-run.ts";
import { parseAdd, parseCopy } from "./parse-transfer.ts";

/** Whether FROM is among them is parse-dockerfile.ts's concern. */
const PARSERS: Readonly<Record<string, (parts: Parts, escapeBy: Escape, lines: LineReader) => Act>> = {
  ADD: (parts, _, lines) => parseAdd(parts, lines),
  ARG: (parts, escapeBy) => ({ kind: "arg", args: argsOf(parts, escapeBy) }),
  CMD: (parts) => ({ kind: "cmd", command: commandOf(textOf(parts)) }),
  COPY: (parts, _, lines) => parseCopy(parts, lines),
  ENTRYPOINT: (parts) => ({ kind: "entrypoint", command: commandOf(textOf(parts)) }),
  ENV: (parts, escapeBy) => ({ kind: "env", pairs: pairsOf(parts, escapeBy) }),
  EXPOSE: (parts) => ({ kind: "expose", ports: some(parts, blankWords(textOf(parts))) }),
  HEALTHCHECK: (parts) => parseHealthcheck(parts),
  LABEL: (parts, escapeBy) => ({ kind: "label", pairs: pairsOf(parts, escapeBy) }),
  MAINTAINER: (parts) => ({ kind: "maintainer", name: one(parts) }),
  ONBUILD: (parts, escapeBy, lines) => ({ kind: "onbuild", instruction: triggerOf(parts, escapeBy, lines) }),
  RUN: (parts, _, lines) => parseRun(parts, lines),
  SHELL: (parts) => ({ kind: "shell", words: shellOf(parts) }),
  STOPSIGNAL: (parts) => ({ kind: "stopsignal", signal: one(parts) }),
  USER: (parts) => ({ kind: "user", user: one(parts) }),
  VOLUME: (parts) => ({ kind: "volume", paths: volumesOf(parts) }),
  WORKDIR: (parts) => ({ kind: "workdir", path: one(parts) }),
};

const KEYWORDS = [...Object.keys(PARSERS), "FROM"];
const NOT_ON_BUILD = ["FROM", "MAINTAINER", "ONBUILD"];

/** @param lines what follows: heredocs are read from it */
export function parseAct(parts: Parts, escapeBy: Escape, lines: LineReader): Act {
  const parser = Object.hasOwn(PARSERS, parts.keyword) ? PARSERS[parts.keyword] : undefined;
  if (parser !== undefined) return parser(parts, escapeBy, lines);
  const nearest = nearestOf(parts.keyword, KEYWORDS);
  const hint =
    nearest === undefined
      ? "a line that goes on in the next ends with the escape character"
      : `did you mean ${nearest}?`;
  throw new Failure(`unknown instruction ${parts.keyword}`, { hint });
}

/** All that an instruction without flags of its own is given. */
function textOf({ keyword, flags, rest }: Parts): string {
  readFlags(keyword, flags, {});
  return rest;
}

function one(parts: Parts): string {
  const text = textOf(parts);
  if (text === "") throw new Failure(`${parts.keyword} needs a value`);
  return text;
}

function some(parts: Parts, words: readonly string[]): readonly string[] {
  if (words.length === 0) throw new Failure(`${parts.keyword} needs at least one value`);
  return words;
}

function argsOf(parts: Parts, escapeBy: Escape): { name: string; value: string | undefined }[] {
  return some(parts, quotedWords(textOf(parts), escapeBy)).map((word) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw new Failure(`ARG needs a name before '${word}'`);
    return equals < 0
      ? { name: word, value: undefined }
      : { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

/** `A=1 B="2 3"`, or, as it was first, `A 1 2`: which of them, the first word tells. */
function pairsOf(parts: Parts, escapeBy: Escape): [name: string, value: string][] {
  const { keyword } = parts;
  const text = textOf(parts);
  const words = some(parts, quotedWords(text, escapeBy));
  if (words[0]?.includes("=") === false) {
    const [name, value] = firstWord(text);
    if (value === "") throw new Failure(`${keyword} ${name} has no value`, { hint: `use ${keyword} ${name}=VALUE` });
    return [[name, value]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) {
      throw new Failure(`in ${keyword}, '${word}' is not of the form NAME=VALUE`, {
        hint: "a value with blanks in it stands in quotes",
      });
    }
    if (equals === 0) throw new Failure(`${keyword} needs a name before '${word}'`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function shellOf(parts: Parts): readonly string[] {
  const text = textOf(parts);
  const words = jsonWords(text);
  if (words === undefined && text !== "") {
    throw new Failure("SHELL takes a JSON array", { hint: 'as in SHELL ["/bin/bash", "-c"]' });
  }
  return some(parts, words ?? []);
}

function volumesOf(parts: Parts): readonly string[] {
  const text = textOf(parts);
  const paths = some(parts, jsonWords(text) ?? blankWords(text)).map((path) => path.trim());
  if (paths.includes("")) throw new Failure("the path of a VOLUME cannot be empty");
  return paths;
}

/** The instruction after ONBUILD, checked now, kept as text: heredocs follow it as they would in a file. */
function triggerOf(parts: Parts, escapeBy: Escape, lines: LineReader): string {
  const text = textOf(parts);
  const inner = partsOf(text, escapeBy);
  if (text === "") throw new Failure("ONBUILD needs an instruction", { hint: "as in ONBUILD COPY . /srv" });
  if (NOT_ON_BUILD.includes(inner.keyword)) throw new Failure(`ONBUILD cannot be followed by ${inner.keyword}`);
  const act = parseAct(inner, escapeBy, lines);
  const heredocs = "heredocs" in act ? act.heredocs : [];
  return [text, ...heredocs.map((heredoc) => heredoc.text + heredoc.name)].join("\n");
}
