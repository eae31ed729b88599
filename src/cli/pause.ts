/**
 * `mycontainer pause`.
 */
import { pauseContainer } from "../container/pause.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";

export function run(argv: readonly string[]): number {
  if (isHelp(argv))
    return printHelp("pause", "CONTAINER...", "Has all processes of containers stand still, until 'unpause'.", {});
  const { rest } = parseFlags("pause", {}, argv);
  return forEach("pause", rest, (root, id) => {
    pauseContainer(root, id);
    return undefined;
  });
}
