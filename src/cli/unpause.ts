/**
 * `mycontainer unpause`.
 */
import { unpauseContainer } from "../container/pause.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";

export function run(argv: readonly string[]): number {
  if (isHelp(argv)) return printHelp("unpause", "CONTAINER...", "Has the processes of paused containers go on.", {});
  const { rest } = parseFlags("unpause", {}, argv);
  return forEach("unpause", rest, (root, id) => {
    unpauseContainer(root, id);
    return undefined;
  });
}
