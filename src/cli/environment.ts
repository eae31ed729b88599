/**
 * `-e`, `--env-file` and files like it, with docker's rules.
 */
import { Failure } from "../failure.ts";
import { parseKeyValue } from "./values.ts";

export interface EnvironmentContext {
  /** Our own, from which a name without a value is taken. */
  readonly environ: readonly string[];
  readonly readFile: (path: string) => string;
}

/**
 * `NAME=VALUE` entries: those of the files first, then those of the flags. A name alone stands for our own variable. Where we
 * have none, a flag's stays a name alone, which takes the image's variable away; a file's is passed over.
 */
export function environmentOf(
  entries: readonly string[],
  files: readonly string[],
  context: EnvironmentContext,
): string[] {
  const own = (entry: string): string | undefined => {
    const [name, value] = parseKeyValue(entry, "environment variable");
    return value === undefined ? context.environ.find((variable) => variable.startsWith(`${name}=`)) : entry;
  };
  const fromFiles = files.flatMap((path) => entriesOfFile(path, context.readFile(path)).flatMap((e) => own(e) ?? []));
  return [...fromFiles, ...entries.map((entry) => own(entry) ?? entry)];
}

/** The entries of an --env-file or --label-file: `NAME=VALUE` or `NAME`, one a line. */
export function entriesOfFile(path: string, content: string): string[] {
  return content
    .replace(/^\uFEFF/, "")
    .split("\n")
    .map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line).trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      if (/^[^=\s]+(?:=|$)/.test(line) && !line.includes("\0")) return line;
      throw new Failure(`${path}: bad line '${line}'`, {
        hint: "each line is NAME=VALUE, NAME, a # comment, or empty",
      });
    });
}
