/**
 * `mycontainer rename`.
 */
import { stateRoot } from "../container/paths.ts";
import { renameContainer } from "../container/rename.ts";
import { findContainer } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { requireRoot } from "./root.ts";

export function run(argv: readonly string[]): number {
  if (isHelp(argv)) return printHelp("rename", "CONTAINER NAME", "Gives a container another name.", {});
  const { rest } = parseFlags("rename", {}, argv);
  const [container, name, more] = rest;
  if (container === undefined || name === undefined || more !== undefined) {
    throw new Failure("'rename' needs a container and a name", { hint: "as in: mycontainer rename old new" });
  }
  requireRoot();
  const root = stateRoot();
  renameContainer(root, findContainer(root, container), name);
  return 0;
}
