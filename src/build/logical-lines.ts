/**
 * A Dockerfile's lines, put together where they are continued, without comments. Pure.
 */
import type { Escape } from "./instruction.ts";

export interface LogicalLine {
  /** Where it begins, counted from 1. */
  readonly line: number;
  readonly text: string;
}

const isComment = (text: string): boolean => text.trimStart().startsWith("#");
const withoutReturn = (text: string): string => (text.endsWith("\r") ? text.slice(0, -1) : text);

function withoutTabs(text: string): string {
  let at = 0;
  while (text.charAt(at) === "\t") at++;
  return text.slice(at);
}

/** Reads lines one after another: those that are continued as one, and those of heredocs as they are. */
export class LineReader {
  readonly #lines: readonly string[];
  readonly #escape: Escape;
  #at = 0;

  constructor(lines: readonly string[], escapeBy: Escape) {
    this.#lines = lines;
    this.#escape = escapeBy;
  }

  /** The next line that is not empty; undefined at the end. */
  next(): LogicalLine | undefined {
    while (this.#at < this.#lines.length) {
      const line = this.#at + 1;
      const first = this.#take().trimStart();
      if (first === "" || isComment(first)) continue;
      const text = this.#continued(first).trim();
      if (text !== "") return { line, text };
    }
    return undefined;
  }

  /** The lines up to one that is `terminator`; undefined if there is none. `chomp` takes their tabs away: `<<-`. */
  heredoc(terminator: string, chomp: boolean): string | undefined {
    const found: string[] = [];
    while (this.#at < this.#lines.length) {
      const raw = this.#lines[this.#at++] ?? "";
      const text = chomp ? withoutTabs(raw) : raw;
      if (withoutReturn(text) === terminator) return found.join("");
      found.push(`${text}\n`);
    }
    return undefined;
  }

  #take(): string {
    return withoutReturn(this.#lines[this.#at++] ?? "");
  }

  /** A line with those that it is continued by. Among these, comments and empty lines are as if they were not there. */
  #continued(first: string): string {
    const parts: string[] = [];
    let part: string | undefined = first;
    while (part !== undefined) {
      const text = this.#withoutContinuation(part);
      parts.push(text ?? part);
      part = text === undefined ? undefined : this.#continuation();
    }
    return parts.join("");
  }

  #continuation(): string | undefined {
    while (this.#at < this.#lines.length) {
      const text = this.#take();
      if (!isComment(text) && text.trim() !== "") return text;
    }
    return undefined;
  }

  /** The text before an escape character that ends the line and is not escaped itself; undefined if there is none. */
  #withoutContinuation(text: string): string | undefined {
    let end = text.length;
    while (end > 0 && (text.charAt(end - 1) === " " || text.charAt(end - 1) === "\t")) end--;
    if (text.charAt(end - 1) !== this.#escape || text.charAt(end - 2) === this.#escape) return undefined;
    return text.slice(0, end - 1);
  }
}
