/**
 * `mycontainer import`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { applyChanges } from "../image/changes.ts";
import { importArchive } from "../image/import.ts";
import { reconcileStore } from "../image/staging.ts";
import { list, parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  change: list("c", "INSTRUCTION", "How it is to be run: CMD, ENTRYPOINT, ENV, USER, WORKDIR, ..., as in a Dockerfile"),
  message: text("m", "TEXT", "What is noted in its history"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    const about = "Makes an image from the archive of a root file system: tar, plain or with gzip or zstd.";
    return printHelp("import", "[FLAGS] FILE|- [NAME[:TAG]]", about, FLAGS);
  }
  const { flags, rest } = parseFlags("import", FLAGS, argv);
  const [path, name, another] = rest;
  if (path === undefined) {
    throw new Failure("'import' needs an archive", { hint: "as in: mycontainer import rootfs.tar.gz NAME" });
  }
  if (another !== undefined) throw new Failure(`'import' takes an archive and a name, and got '${another}' as well`);
  const config = applyChanges(flags.change);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const expand = await readAliases();
  const full = name === undefined ? undefined : expand(name);
  line(importArchive(images, { path, name: full, config, message: flags.message }).id);
  return 0;
}
