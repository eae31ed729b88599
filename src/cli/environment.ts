/**
 * `-e` and `--env-file`, with docker's rules.
 */
import { Failure } from "../failure.ts";
import { parseKeyValue } from "./values.ts";

export interface EnvironmentContext {
  /** Our own, from which a name without a value is taken. */
  readonly environ: readonly string[];
  readonly readFile: (path: string) => string;
}

/** `NAME=VALUE` entries: those of the files first, then those of the flags. */
export function environmentOf(
  entries: readonly string[],
  files: readonly string[],
  context: EnvironmentContext,
): string[] {
  const fromFiles = files.flatMap((path) => readEnvironmentFile(path, context.readFile(path)));
  return [...fromFiles, ...entries].flatMap((entry) => {
    const [name, value] = parseKeyValue(entry, "environment variable");
    if (value !== undefined) return [entry];
    const own = context.environ.find((variable) => variable.startsWith(`${name}=`));
    return own === undefined ? [] : [own];
  });
}

function readEnvironmentFile(path: string, content: string): string[] {
  return content
    .split("\n")
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      if (/^[^=\s]+(=|$)/.test(line)) return line;
      throw new Failure(`${path}: bad line '${line}'`, {
        hint: "each line is NAME=VALUE, NAME, a # comment, or empty",
      });
    });
}
