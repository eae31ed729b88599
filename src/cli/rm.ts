/**
 * `mycontainer rm`.
 */
import { removeContainer } from "../container/control.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { forEach } from "./each.ts";

const FLAGS = {
  force: toggle("f", "Also those that run: they are killed"),
  volumes: toggle("v", "Also their volumes that have no name"),
} as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("rm", "[FLAGS] CONTAINER...", "Removes containers.", FLAGS);
  const { flags, rest } = parseFlags("rm", FLAGS, argv);
  const options = { force: flags.force === true, volumes: flags.volumes === true };
  return forEach(
    "rm",
    rest,
    (root, id) => {
      removeContainer(root, id, options);
      return undefined;
    },
    { ignoreMissing: options.force },
  );
}
