/**
 * `mycontainer commit`.
 */
import { commitContainer } from "../container/commit.ts";
import { openContents } from "../container/contents.ts";
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { applyChanges } from "../image/changes.ts";
import { nameOf } from "../image/import.ts";
import { reconcileStore } from "../image/staging.ts";
import { list, parseBoolean, parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  author: text("a", "NAME", "Who made it"),
  change: list("c", "INSTRUCTION", "How it is to be run: CMD, ENTRYPOINT, ENV, USER, WORKDIR, ..., as in a Dockerfile"),
  message: text("m", "TEXT", "What is noted in its history"),
  pause: text("p", "WHETHER", "Whether the container stands still meanwhile: true, unless told"),
  quiet: toggle("q", "Taken for the sake of scripts; only the id is printed anyway"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    const about = "Makes an image of what a container has changed, on top of the image that it was made from.";
    return printHelp("commit", "[FLAGS] CONTAINER [NAME[:TAG]]", about, FLAGS);
  }
  const { flags, rest } = parseFlags("commit", FLAGS, argv);
  const [container, name, another] = rest;
  if (container === undefined)
    throw new Failure("'commit' needs a container", { hint: "as in: mycontainer commit web mine" });
  if (another !== undefined) throw new Failure(`'commit' takes a container and a name, and got '${another}' as well`);
  const expand = await readAliases();
  const names = name === undefined ? [] : [nameOf(expand(name))];
  const changes = applyChanges(flags.change);
  const pause = parseBoolean(flags.pause ?? "true", "flag --pause");
  requireRoot();
  const root = stateRoot();
  reconcileStore(root.images);
  using contents = openContents(root, container);
  const { author, message } = flags;
  line(commitContainer(root, contents, { names, changes, author, message, pause }).id);
  return 0;
}
