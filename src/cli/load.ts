/**
 * `mycontainer load`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { loadArchive } from "../image/load.ts";
import { familiarName } from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  input: text("i", "FILE", "The archive; standard input if not given"),
  quiet: toggle("q", "Do not tell what was loaded"),
} as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    const about = "Loads the images of an archive: what 'docker save' writes, or an OCI image layout in a tar archive.";
    return printHelp("load", "[FLAGS] [FILE]", about, FLAGS);
  }
  const { flags, rest } = parseFlags("load", FLAGS, argv);
  const [path = "-", ...more] = [...(flags.input === undefined ? [] : [flags.input]), ...rest];
  if (more.length > 0) throw new Failure(`'load' takes one archive, and got '${more[0]}' as well`);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const records = loadArchive(images, path);
  if (flags.quiet === true) return 0;
  for (const { name, id } of records) {
    line(name === null ? `Loaded image ID: ${id}` : `Loaded image: ${familiarName(name)}`);
  }
  return 0;
}
