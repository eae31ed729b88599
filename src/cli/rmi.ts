/**
 * `mycontainer rmi`.
 */
import { stateRoot } from "../container/paths.ts";
import { settledUsers } from "../container/prune.ts";
import { Failure } from "../failure.ts";
import { familiarName } from "../image/reference.ts";
import { type Removal, removeImage } from "../image/remove.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line, note } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  force: toggle("f", "Also if it has several names; what a container uses only loses its names"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) return printHelp("rmi", "[FLAGS] IMAGE...", "Removes images.", FLAGS);
  const { flags, rest } = parseFlags("rmi", FLAGS, argv);
  if (rest.length === 0) throw new Failure("'rmi' needs an image", { hint: "as in: mycontainer rmi NAME" });
  requireRoot();
  const root = stateRoot();
  reconcileStore(root.images);
  const users = () => settledUsers(root);
  const expand = await readAliases();
  let failed = false;
  for (const image of rest) {
    try {
      for (const removal of removeImage(root.images, expand(image), { force: flags.force === true, users }))
        tell(removal);
    } catch (error) {
      report(error);
      failed = true;
    }
  }
  return failed ? 1 : 0;
}

function tell(removal: Removal): void {
  if (removal.kind === "untagged") line(`Untagged: ${familiarName(removal.name)}`);
  else if (removal.kind === "deleted") line(`Deleted: ${removal.id}`);
  else note(`mycontainer: ${removal.id} stays until the containers that use it are removed`);
}
