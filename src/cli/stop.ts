/**
 * `mycontainer stop`.
 */
import { stopContainer } from "../container/control.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";
import { parseWhole } from "./values.ts";

const FLAGS = {
  signal: text("s", "SIGNAL", "Signal that asks it to end (the default is the container's stop signal)"),
  time: text("t", "SECONDS", "Time to end before it is killed; -1 waits for ever"),
} as const;
const LONGEST_SECONDS = 1_000_000;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    return printHelp("stop", "[FLAGS] CONTAINER...", "Asks containers to end, and kills them if they do not.", FLAGS);
  }
  const { flags, rest } = parseFlags("stop", FLAGS, argv);
  const timeoutSeconds = flags.time === undefined ? undefined : parseWhole(flags.time, "time", -1, LONGEST_SECONDS);
  return forEach("stop", rest, (root, id) => {
    stopContainer(root, id, { signal: flags.signal, timeoutSeconds });
    return undefined;
  });
}
