/**
 * COPY and ADD: their words and flags. Pure.
 */
import { Failure } from "../failure.ts";
import { type HeredocMark, markOf, marksAmong, readHeredocs } from "./heredoc.ts";
import type { Act, Transfer } from "./instruction.ts";
import { blankWords, jsonWords, type Parts, readFlags } from "./instruction-words.ts";
import type { LineReader } from "./logical-lines.ts";

const COMMON = { chown: "text", chmod: "text", link: "toggle", exclude: "list" } as const;
const COPY_FLAGS = { ...COMMON, from: "text", parents: "toggle" } as const;
const ADD_FLAGS = { ...COMMON, checksum: "text", "keep-git-dir": "toggle", unpack: "toggle" } as const;

export function parseCopy(parts: Parts, lines: LineReader): Act {
  const flags = readFlags("COPY", parts.flags, COPY_FLAGS);
  refuseVariable(flags.from, "--from");
  const { from, parents = false } = flags;
  return { kind: "copy", from, parents, ...transferOf(parts, flags, lines) };
}

export function parseAdd(parts: Parts, lines: LineReader): Act {
  const flags = readFlags("ADD", parts.flags, ADD_FLAGS);
  const { checksum, unpack, "keep-git-dir": keepGitDir = false } = flags;
  return { kind: "add", checksum, keepGitDir, unpack, ...transferOf(parts, flags, lines) };
}

/** What a stage is called must be known before anything is run: else there is no order in which stages are built. */
export function refuseVariable(from: string | undefined, flag: string): void {
  if (from?.includes("$") !== true) return;
  throw new Failure(`${flag} takes no variables, as in '${from}'`, {
    hint: "name it by a stage: FROM image:$VERSION AS name, with ARG VERSION before the first FROM",
  });
}

interface CommonFlags {
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean | undefined;
  readonly exclude: readonly string[];
}

function transferOf({ keyword, rest }: Parts, flags: CommonFlags, lines: LineReader): Transfer {
  const json = jsonWords(rest);
  const words = json ?? joined(blankWords(rest));
  const target = words.at(-1);
  if (words.length < 2 || target === undefined) {
    throw new Failure(`${keyword} needs a source and a target`, { hint: `as in ${keyword} app.js /srv/` });
  }
  const marks = json === undefined ? marksAmong(words) : [];
  if (json === undefined && target.includes("<<") && markOf(target) !== undefined) {
    throw new Failure(`the target of ${keyword} cannot be a heredoc`, {
      hint: `as in ${keyword} <<${target.slice(2)} /target`,
    });
  }
  const { chown, chmod, link = false, exclude } = flags;
  const names = new Set(marks.map(({ name }) => name));
  if (names.size < marks.length) throw new Failure(`two heredocs of ${keyword} have the same name`);
  const sources = words.slice(0, -1).map((word) => (json === undefined ? sourceOf(word, names) : word));
  return { sources, heredocs: readHeredocs(marks, lines), target, chown, chmod, link, exclude };
}

/** `<<` and the name after it as one word. */
function joined(words: readonly string[]): string[] {
  const found: string[] = [];
  for (const word of words) {
    const last = found.at(-1) ?? "";
    if (last.endsWith("<<") || last.endsWith("<<-")) found[found.length - 1] = last + word;
    else found.push(word);
  }
  return found;
}

function sourceOf(word: string, names: ReadonlySet<string>): string {
  const mark: HeredocMark | undefined = word.includes("<<") ? markOf(word) : undefined;
  if (mark !== undefined) return mark.name;
  // Sources that are heredocs are told by their names.
  return names.has(word) ? `./${word}` : word;
}
