/**
 * `mycontainer save`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { type SaveFormat, saveImages } from "../image/save.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags, text } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { readAliases } from "./aliases.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  format: text("", "FORMAT", "docker-archive (the default, which is an OCI layout as well) or oci-archive"),
  output: text("o", "FILE", "Where the archive goes; standard output if not given"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    const about =
      "Writes images to an archive, which 'load', docker, podman and skopeo take. A NAME stands for all its tags.";
    return printHelp("save", "[FLAGS] IMAGE...", about, FLAGS);
  }
  const { flags, rest } = parseFlags("save", FLAGS, argv);
  if (rest.length === 0) throw new Failure("'save' needs an image", { hint: "as in: mycontainer save -o FILE NAME" });
  const format = formatOf(flags.format);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const expand = await readAliases();
  saveImages(images, { texts: rest.map(expand), format, path: flags.output });
  return 0;
}

function formatOf(text: string | undefined): SaveFormat {
  switch (text) {
    case undefined:
    case "docker-archive":
      return "docker-archive";
    case "oci-archive":
      return "oci-archive";
    default:
      throw new Failure(`unknown format '${text}'`, { hint: "use docker-archive or oci-archive" });
  }
}
