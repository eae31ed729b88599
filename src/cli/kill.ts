/**
 * `mycontainer kill`.
 */
import { signalContainer } from "../container/control.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";

const FLAGS = { signal: text("s", "SIGNAL", "Signal to send (the default is KILL)") } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("kill", "[FLAGS] CONTAINER...", "Sends a signal to containers.", FLAGS);
  const { flags, rest } = parseFlags("kill", FLAGS, argv);
  return forEach("kill", rest, (root, id) => {
    signalContainer(root, id, flags.signal ?? "KILL");
    return undefined;
  });
}
