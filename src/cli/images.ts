/**
 * `mycontainer images`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { fullName, hasTagOrDigest, parseReference, repositoryOf, storedName } from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { type ImageRecord, listRecords } from "../image/store.ts";
import { wallClockMs } from "../linux/clock.ts";
import { list, parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { filterNames, parseFilters } from "./filters.ts";
import { IMAGE_TITLES, imageFilters, imageRow } from "./image-rows.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  all: toggle("a", "Show all; there are no others here"),
  digests: toggle("", "Show digests"),
  filter: list("f", "NAME=VALUE", `Only those with ${filterNames(imageFilters("", (name) => name))}`),
  format: text(...FORMAT_FLAG),
  "no-trunc": toggle("", "Do not cut ids"),
  quiet: toggle("q", "Show ids only"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) return printHelp("images", "[FLAGS] [NAME[:TAG]]", "Lists images.", FLAGS);
  const { flags, rest } = parseFlags("images", FLAGS, argv);
  const [given, another] = rest;
  if (another !== undefined) throw new Failure(`'images' takes one name, and got '${another}' as well`);
  const format = parseFormat(flags.format);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const expand = await readAliases();
  const wanted = given === undefined ? undefined : expand(given);
  const isMeant = parseFilters(imageFilters(images, expand), flags.filter);
  const now = wallClockMs();
  const rows = listRecords(images)
    .filter((record) => (wanted === undefined || matches(record, wanted)) && isMeant(record))
    .sort((one, other) => other.createdMs - one.createdMs)
    .map((record) => imageRow(record, now, flags["no-trunc"] === true));
  if (flags.quiet === true) for (const id of new Set(rows.map(({ ID }) => ID))) line(id);
  else {
    const digest = flags.digests === true ? (["Digest"] as const) : [];
    const columns = ["Repository", "Tag", ...digest, "ID", "CreatedSince", "Size"] as const;
    printListing(format, { titles: IMAGE_TITLES, columns, rows });
  }
  return 0;
}

/** Whether an image has that name; without a tag, any tag will do. */
function matches({ name }: ImageRecord, wanted: string): boolean {
  const reference = parseReference(wanted);
  if (name === null) return false;
  if (hasTagOrDigest(wanted)) return name === storedName(reference);
  return repositoryOf(name) === fullName({ ...reference, tag: undefined });
}
