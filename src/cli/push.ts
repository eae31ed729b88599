/**
 * `mycontainer push`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { pushImage, tagsHere } from "../image/push.ts";
import { familiarName, fullName, hasTagOrDigest, parseReference, type Reference } from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { pushProgress } from "./push-progress.ts";
import { requireRoot } from "./root.ts";
import { withRegistry } from "./with-registry.ts";

const STDOUT = 1;
const FLAGS = {
  "all-tags": toggle("a", "Push all tags of the repository that are here"),
  quiet: toggle("q", "Print nothing but the name of what was pushed"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) return printHelp("push", "[FLAGS] NAME[:TAG]", "Uploads an image to a registry.", FLAGS);
  const { flags, rest } = parseFlags("push", FLAGS, argv);
  const [given = "", more] = rest;
  if (given === "" || more !== undefined) {
    throw new Failure("'push' needs one image", { hint: "as in: mycontainer push registry.example/team/app:1.0" });
  }
  const name = (await readAliases())(given);
  const reference = parseReference(name);
  if (reference.digest !== undefined) {
    throw new Failure("an image is pushed by a tag, not by a digest", { hint: "'mycontainer tag' gives it one" });
  }
  const isAll = flags["all-tags"] === true;
  if (isAll && hasTagOrDigest(name)) {
    throw new Failure(`'${name}' names one image, and --all-tags asks for all`, {
      hint: "give the name without a tag",
    });
  }
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const repository = fullName({ ...reference, tag: undefined });
  const all = isAll ? tagsHere(images, reference) : [reference];
  if (all.length === 0) throw new Failure(`there is no image of ${familiarName(repository)} here`);
  const isTold = flags.quiet !== true;
  if (isTold) {
    line(`The push refers to repository [${repository}]`);
    if (!isAll && !hasTagOrDigest(name)) line(`Using default tag: ${reference.tag}`);
  }
  for (const one of all) await pushOne(images, one, isTold);
  return 0;
}

function pushOne(images: string, reference: Reference, isTold: boolean): Promise<void> {
  return withRegistry(`push ${familiarName(fullName(reference))}`, async ({ registry }) => {
    const { tell } = pushProgress(isTold ? STDOUT : undefined);
    const { digest, sizeBytes } = await pushImage(images, { reference, destination: registry, tell });
    line(isTold ? `${reference.tag}: digest: ${digest} size: ${sizeBytes}` : fullName(reference));
  });
}
