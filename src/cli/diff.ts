/**
 * `mycontainer diff`.
 */
import { openContents } from "../container/contents.ts";
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { differencesOf } from "../image/difference.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {} as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    const about = "Shows what a container has added (A), changed (C) and deleted (D) of its image's files.";
    return printHelp("diff", "CONTAINER", about, FLAGS);
  }
  const { rest } = parseFlags("diff", FLAGS, argv);
  const [name, another] = rest;
  if (name === undefined || another !== undefined) {
    throw new Failure("'diff' needs one container", { hint: "as in: mycontainer diff web" });
  }
  requireRoot();
  using contents = openContents(stateRoot(), name);
  if (contents.upper === undefined) {
    throw new Failure(`container '${name}' was made from a directory: there is nothing to compare it with`);
  }
  for (const { kind, path } of differencesOf(contents.upper, contents.layers, contents.places)) line(`${kind} ${path}`);
  return 0;
}
