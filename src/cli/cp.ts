/**
 * `mycontainer cp`.
 */
import { type Copied, copyFromArchive, copyIn, copyOut, copyToArchive } from "../container/copy.ts";
import { type CopyArgument, parseCopyArgument } from "../container/copy-rules.ts";
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { openTarget } from "../image/deliver.ts";
import { duplicate } from "../linux/fd.ts";
import { isTerminal } from "../linux/tty.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { formatSize } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { note, warn } from "../term/output.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  archive: toggle("a", "Keep users and groups; else all belongs to root where it is copied to"),
  "follow-link": toggle("L", "If what is copied is a symbolic link, copy what it leads to"),
  quiet: toggle("q", "Do not tell what was copied"),
} as const;

const USAGE = "[FLAGS] CONTAINER:PATH PATH|-   or   [FLAGS] PATH|- CONTAINER:PATH";
const EXAMPLE = { hint: "as in: mycontainer cp web:/etc/hosts . — or: mycontainer cp file web:/tmp" } as const;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) {
    const about = "Copies files between a container and the host; '-' is an archive, as tar makes it.";
    return printHelp("cp", USAGE, about, FLAGS);
  }
  const { flags, rest } = parseFlags("cp", FLAGS, argv);
  const [from, to, more] = rest;
  if (from === undefined || to === undefined || more !== undefined) {
    throw new Failure("'cp' needs a source and a destination", EXAMPLE);
  }
  if (from === "" || to === "") throw new Failure(`the ${from === "" ? "source" : "destination"} is empty`, EXAMPLE);
  requireRoot();
  const options = { keepOwners: flags.archive === true, followLinks: flags["follow-link"] === true };
  const copied = copy(parseCopyArgument(from), parseCopyArgument(to), options);
  if (copied === undefined) return 0;
  if (copied.skipped > 0) warn(`${copied.skipped} sockets were left out`);
  if (flags.quiet !== true && to !== "-") note(`Successfully copied ${formatSize(copied.bytes, 1000)} to ${to}`);
  return 0;
}

function copy(from: CopyArgument, to: CopyArgument, options: Parameters<typeof copyIn>[4]): Copied | undefined {
  const root = stateRoot();
  if (from.kind === "container" && to.kind === "container") {
    throw new Failure("one of the two sides must be the host", {
      hint: "copy by way of an archive: mycontainer cp ONE:PATH - | mycontainer cp - OTHER:PATH",
    });
  }
  if (from.kind === "container") {
    if (to.kind === "host") return copyOut(root, from.container, from.path, to.path, options);
    using target = openTarget("-");
    const copied = copyToArchive(root, from.container, from.path, target.handle, options);
    target.finish();
    return copied;
  }
  if (to.kind !== "container") throw new Failure("one of the two sides must be a container", EXAMPLE);
  if (from.kind === "host") return copyIn(root, from.path, to.container, to.path, options);
  if (isTerminal(0)) throw new Failure("an archive is not read from a terminal", { hint: "redirect: ... < files.tar" });
  using archive = duplicate(0);
  copyFromArchive(root, archive, to.container, to.path);
  return undefined;
}
