/**
 * `mycontainer stop`.
 */
import { type StopOptions, stopContainer } from "../container/control.ts";
import { parseFlags, text, type Values } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";
import { parseWhole } from "./values.ts";

export const STOP_FLAGS = {
  signal: text("s", "SIGNAL", "Signal that asks it to end (the default is the container's stop signal)"),
  time: text("t", "SECONDS", "Time to end before it is killed; -1 waits for ever"),
} as const;
const LONGEST_SECONDS = 1_000_000;

export function stopOptionsOf({ signal, time }: Values<typeof STOP_FLAGS>): StopOptions {
  return { signal, timeoutSeconds: time === undefined ? undefined : parseWhole(time, "time", -1, LONGEST_SECONDS) };
}

export function run(argv: readonly string[]): number {
  if (isHelp(argv, STOP_FLAGS)) {
    return printHelp(
      "stop",
      "[FLAGS] CONTAINER...",
      "Asks containers to end, and kills them if they do not.",
      STOP_FLAGS,
    );
  }
  const { flags, rest } = parseFlags("stop", STOP_FLAGS, argv);
  const options = stopOptionsOf(flags);
  return forEach("stop", rest, (root, id) => {
    stopContainer(root, id, options);
    return undefined;
  });
}
