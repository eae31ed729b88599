/**
 * `mycontainer pull`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { parsePlatform } from "../image/platform.ts";
import {
  familiarName,
  fullName,
  hasTagOrDigest,
  parseReference,
  type Reference,
  storedName,
} from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { type PullOptions, pullReference, tagsOf } from "./pull-image.ts";
import { report } from "./report.ts";
import { requireRoot } from "./root.ts";

const STDOUT = 1;
const FLAGS = {
  "all-tags": toggle("a", "Pull all tags of the repository"),
  platform: text("", "OS/ARCH[/VARIANT]", "Of the images that there are under the name, take the one for this"),
  quiet: toggle("q", "Print nothing but the names of what was pulled"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    return printHelp("pull", "[FLAGS] NAME[:TAG|@DIGEST]...", "Downloads images from a registry.", FLAGS);
  }
  const { flags, rest } = parseFlags("pull", FLAGS, argv);
  if (rest.length === 0) throw new Failure("'pull' needs an image", { hint: "as in: mycontainer pull alpine" });
  const platform = flags.platform === undefined ? undefined : parsePlatform(flags.platform);
  const options = { platform, progressFd: flags.quiet === true ? undefined : STDOUT };
  const references = rest.map(await readAliases()).map((name) => [name, parseReference(name)] as const);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  let status = 0;
  for (const [name, reference] of references) {
    try {
      if (flags["all-tags"] === true) await pullTags(images, name, reference, options);
      else await pullOne(images, name, reference, options);
    } catch (error) {
      // Who asks for one image hears of it once; of several, the others are pulled all the same.
      if (references.length === 1) throw error;
      status = report(error);
    }
  }
  return status;
}

async function pullOne(images: string, name: string, reference: Reference, options: PullOptions): Promise<void> {
  const stored = storedName(reference);
  const isTold = options.progressFd !== undefined;
  if (isTold) {
    if (!hasTagOrDigest(name)) line(`Using default tag: ${reference.tag}`);
    line(`${reference.digest === undefined ? reference.tag : stored}: Pulling from ${reference.path}`);
  }
  const { digest, isUnchanged } = await pullReference(images, reference, options);
  if (isTold) {
    line(`Digest: ${digest}`);
    const news = isUnchanged ? "Image is up to date for" : "Downloaded newer image for";
    line(`Status: ${news} ${familiarName(stored)}`);
  }
  line(stored);
}

async function pullTags(images: string, name: string, reference: Reference, options: PullOptions): Promise<void> {
  if (hasTagOrDigest(name)) {
    throw new Failure(`'${name}' names one image, and --all-tags asks for all`, {
      hint: "give the name without a tag",
    });
  }
  const tags = await tagsOf(reference);
  if (tags.length === 0) throw new Failure(`there are no tags of ${fullName({ ...reference, tag: undefined })}`);
  for (const tag of tags) await pullOne(images, `${name}:${tag}`, { ...reference, tag }, options);
}
