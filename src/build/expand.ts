/**
 * Variables put into instructions, in those of their fields where docker does it. Pure.
 *
 * Source: Dockerfile reference, "Environment replacement".
 */
import { Failure, unreachable } from "../failure.ts";
import { fieldsOf, joinFields } from "./csv.ts";
import type { Escape, Heredoc, Instruction, Stage, Transfer } from "./instruction.ts";
import { expandWord, expandWords, type LexOptions, type Lookup, RESULT_LIMIT_CHARACTERS } from "./lexer.ts";

/** Of a heredoc: it becomes a file, not a variable. */
const HEREDOC_LIMIT_CHARACTERS = 32 * RESULT_LIMIT_CHARACTERS;

/**
 * An instruction with the values of its variables in it, and the quotes taken away that kept its words together. All of it
 * sees the variables as they were before it: `ENV a=1 b=$a` has the old a.
 *
 * ARG comes as it is: whether its default is used at all, and what it sees, is arguments.ts's to say. CMD, ENTRYPOINT,
 * HEALTHCHECK, SHELL and the text of RUN are for a shell, or for execve(2), as they are written.
 * @param escapeBy of the Dockerfile
 * @throws Failure that tells the line
 */
export function expandInstruction(instruction: Instruction, lookup: Lookup, escapeBy: Escape): Instruction {
  const options = { lookup, escape: escapeBy };
  return at(instruction.line, () => expanded(instruction, options));
}

/** What FROM builds on; its variables are ARGs before the first FROM. */
export function expandStage(stage: Stage, lookup: Lookup, escapeBy: Escape): Stage {
  const options = { lookup, escape: escapeBy };
  return at(stage.line, () => {
    const from = expandWord(stage.from, options);
    if (from === "") {
      throw new Failure(`${stage.source}: nothing is left of the image's name`, {
        hint: "variables of FROM are set by ARG before the first FROM, or by --build-arg",
      });
    }
    return { ...stage, from, platform: optional(stage.platform, options) };
  });
}

function at<T>(line: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`line ${line}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function expanded(instruction: Instruction, options: LexOptions): Instruction {
  const word = (text: string): string => expandWord(text, options);
  switch (instruction.kind) {
    case "env":
    case "label":
      return { ...instruction, pairs: instruction.pairs.map(([name, value]) => [nameOf(word(name)), word(value)]) };
    case "copy":
      return { ...instruction, ...transfer(instruction, options) };
    case "add":
      return { ...instruction, ...transfer(instruction, options), checksum: checksumOf(instruction.checksum, options) };
    case "run":
      return { ...instruction, mounts: instruction.mounts.map((mount) => expandMount(mount, options)) };
    case "user":
      return { ...instruction, user: needed("USER", word(instruction.user)) };
    case "workdir":
      return { ...instruction, path: needed("WORKDIR", word(instruction.path)) };
    case "volume":
      return { ...instruction, paths: instruction.paths.map((path) => needed("VOLUME", word(path))) };
    case "expose":
      return { ...instruction, ports: instruction.ports.flatMap((port) => expandWords(port, options)) };
    case "stopsignal":
      return { ...instruction, signal: needed("STOPSIGNAL", word(instruction.signal)) };
    case "arg":
    case "maintainer":
    case "cmd":
    case "entrypoint":
    case "shell":
    case "healthcheck":
    case "onbuild":
      return instruction;
    default:
      return unreachable(instruction);
  }
}

const optional = (text: string | undefined, options: LexOptions): string | undefined =>
  text === undefined ? undefined : expandWord(text, options) || undefined;

/** One that is asked for, and turns out to be nothing, must not mean that none was asked for. */
const checksumOf = (text: string | undefined, options: LexOptions): string | undefined =>
  text === undefined ? undefined : needed("--checksum", expandWord(text, options));

function needed(keyword: string, text: string): string {
  if (text !== "") return text;
  throw new Failure(`${keyword}: nothing is left when its variables are put in`, {
    hint: "are they set by ENV, or ARG, of this stage?",
  });
}

function nameOf(text: string): string {
  if (text !== "" && !text.includes("=")) return text;
  throw new Failure(`'${text}' cannot be a name`, { hint: "is the variable in it set?" });
}

function transfer(transfer: Transfer, options: LexOptions): Transfer {
  const names = new Set(transfer.heredocs.map(({ name }) => name));
  const source = (text: string): string => {
    if (names.has(text)) return text;
    const path = needed("a source", expandWord(text, options));
    // Sources that are heredocs are told by their names.
    return names.has(path) ? `./${path}` : path;
  };
  return {
    sources: transfer.sources.map(source),
    heredocs: transfer.heredocs.map((heredoc) => expandHeredoc(heredoc, options.lookup)),
    target: needed("the target", expandWord(transfer.target, options)),
    chown: optional(transfer.chown, options),
    chmod: optional(transfer.chmod, options),
    link: transfer.link,
    exclude: transfer.exclude,
  };
}

/** In a heredoc quotes are text; backslashes escape, whatever `# escape=` says, and go. */
function expandHeredoc(heredoc: Heredoc, lookup: Lookup): Heredoc {
  if (!heredoc.expand) return heredoc;
  const options = { lookup, escape: "\\", rawQuotes: true, limitCharacters: HEREDOC_LIMIT_CHARACTERS } as const;
  return { ...heredoc, text: expandWord(heredoc.text, options) };
}

/** Each option's value by itself: a comma of a variable's does not begin another option. */
function expandMount(mount: string, options: LexOptions): string {
  const fields = fieldsOf(mount).map((field) => {
    const equals = field.indexOf("=");
    return equals < 0 ? field : field.slice(0, equals + 1) + expandWord(field.slice(equals + 1), options);
  });
  return joinFields(fields);
}
