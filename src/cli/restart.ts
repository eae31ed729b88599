/**
 * `mycontainer restart`.
 */
import { restartContainer } from "../container/start.ts";
import { closeFrom } from "../linux/process.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";
import { emitter } from "./run.ts";
import { STOP_FLAGS, stopOptionsOf } from "./stop.ts";

const FIRST_OTHER_FD = 3;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, STOP_FLAGS)) {
    return printHelp("restart", "[FLAGS] CONTAINER...", "Ends containers, and starts them again.", STOP_FLAGS);
  }
  const { flags, rest } = parseFlags("restart", STOP_FLAGS, argv);
  const options = stopOptionsOf(flags);
  closeFrom(FIRST_OTHER_FD);
  return forEach("restart", rest, (root, id) => {
    restartContainer(root, id, options, emitter(true));
    return undefined;
  });
}
