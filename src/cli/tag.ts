/**
 * `mycontainer tag`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { tagImage } from "../image/remove.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { readAliases } from "./aliases.ts";
import { requireRoot } from "./root.ts";

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv)) return printHelp("tag", "IMAGE NAME[:TAG]", "Gives an image another name.", {});
  const { rest } = parseFlags("tag", {}, argv);
  const [image, name, another] = rest;
  if (image === undefined || name === undefined || another !== undefined) {
    throw new Failure("'tag' needs an image and its new name", { hint: "as in: mycontainer tag busybox mine:1.0" });
  }
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const expand = await readAliases();
  tagImage(images, expand(image), expand(name));
  return 0;
}
