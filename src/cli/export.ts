/**
 * `mycontainer export`.
 */
import { mountContents, openContents } from "../container/contents.ts";
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { packTree } from "../image/codec.ts";
import { openTarget } from "../image/deliver.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { requireRoot } from "./root.ts";

const FLAGS = { output: text("o", "FILE", "Where the archive goes; standard output if not given") } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    const about = "Writes all files of a container to an archive, without its volumes; 'import' makes an image of it.";
    return printHelp("export", "[FLAGS] CONTAINER", about, FLAGS);
  }
  const { flags, rest } = parseFlags("export", FLAGS, argv);
  const [name, another] = rest;
  if (name === undefined || another !== undefined) {
    throw new Failure("'export' needs one container", { hint: "as in: mycontainer export -o FILE web" });
  }
  requireRoot();
  const root = stateRoot();
  using contents = openContents(root, name);
  using target = openTarget(flags.output);
  using mount = mountContents(root, contents);
  const about = `container '${contents.state.name}'`;
  packTree({ kind: "mount", mount, about }, target.handle, about, { compression: "none", owners: contents.owners });
  target.finish();
  return 0;
}
