/**
 * `mycontainer wait`.
 */
import { waitContainer } from "../container/control.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";

export function run(argv: readonly string[]): number {
  if (isHelp(argv))
    return printHelp("wait", "CONTAINER...", "Waits for containers to end, and prints their exit codes.", {});
  const { rest } = parseFlags("wait", {}, argv);
  return forEach("wait", rest, (root, id) => String(waitContainer(root, id)));
}
