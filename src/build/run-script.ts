/**
 * What a RUN with heredocs runs. Pure.
 *
 * Source: Dockerfile reference, "Here-Documents".
 */
import { markOf } from "./heredoc.ts";
import type { Act, Command } from "./instruction.ts";

export type RunScript =
  | { readonly kind: "command"; readonly command: Command }
  /** A file that names its interpreter in its first line, to be executed. */
  | { readonly kind: "file"; readonly name: string; readonly text: string };

/**
 * `RUN <<EOF` alone: the text is the script, of the stage's shell or of what its `#!` names. With more on the line, the
 * shell is given all as it was written, and reads its heredocs itself.
 */
export function scriptOf({ command, heredocs }: Act & { readonly kind: "run" }): RunScript {
  const [first] = heredocs;
  if (command.form === "exec" || first === undefined) return { kind: "command", command };
  if (markOf(command.text) === undefined) {
    const text = [command.text, ...heredocs.map((heredoc) => heredoc.text + heredoc.name)].join("\n");
    return { kind: "command", command: { form: "shell", text } };
  }
  if (first.text.startsWith("#!")) return { kind: "file", name: first.name, text: first.text };
  return { kind: "command", command: { form: "shell", text: first.text } };
}
