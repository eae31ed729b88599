/**
 * `mycontainer images`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { imageSizeBytes } from "../image/inspect.ts";
import {
  fullName,
  hasTagOrDigest,
  hexOf,
  parseReference,
  repositoryAndTag,
  repositoryOf,
  storedName,
} from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { type ImageRecord, listRecords } from "../image/store.ts";
import { wallClockMs } from "../linux/clock.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { formatAge, formatSize } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { tableLines } from "../term/table.ts";
import { wantsJson } from "./format-flag.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  all: toggle("a", "Show all; there are no others here"),
  digests: toggle("", "Show digests"),
  format: text("", "table|json", "How they are shown"),
  "no-trunc": toggle("", "Do not cut ids"),
  quiet: toggle("q", "Show ids only"),
} as const;

const SHORT_ID = 12;
const NONE = "<none>";

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("images", "[FLAGS] [NAME[:TAG]]", "Lists images.", FLAGS);
  const { flags, rest } = parseFlags("images", FLAGS, argv);
  const [wanted, another] = rest;
  if (another !== undefined) throw new Failure(`'images' takes one name, and got '${another}' as well`);
  const asJson = wantsJson(flags.format);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const now = wallClockMs();
  const records = listRecords(images)
    .filter((record) => wanted === undefined || matches(record, wanted))
    .sort((one, other) => other.createdMs - one.createdMs);
  const rows = records.map((record) => rowOf(record, now, flags["no-trunc"] === true));
  if (flags.quiet === true) for (const id of new Set(rows.map(({ ID }) => ID))) line(id);
  else if (asJson) for (const row of rows) line(JSON.stringify(row));
  else printTable(rows, flags.digests === true);
  return 0;
}

interface Row {
  readonly Repository: string;
  readonly Tag: string;
  readonly Digest: string;
  readonly ID: string;
  readonly CreatedAt: string;
  readonly CreatedSince: string;
  readonly Size: string;
}

function rowOf(record: ImageRecord, now: number, isWhole: boolean): Row {
  const [repository, tag] = record.name === null ? [NONE, NONE] : repositoryAndTag(record.name);
  const created = record.createdMs;
  return {
    Repository: repository,
    Tag: tag,
    Digest: record.digest,
    ID: isWhole ? record.id : hexOf(record.id).slice(0, SHORT_ID),
    CreatedAt: created === 0 ? "N/A" : new Date(created).toISOString(),
    CreatedSince: created === 0 ? "N/A" : `${formatAge(now - created)} ago`,
    Size: formatSize(imageSizeBytes(record), 1000),
  };
}

/** Whether an image has that name; without a tag, any tag will do. */
function matches({ name }: ImageRecord, wanted: string): boolean {
  const reference = parseReference(wanted);
  if (name === null) return false;
  if (hasTagOrDigest(wanted)) return name === storedName(reference);
  return repositoryOf(name) === fullName({ ...reference, tag: undefined });
}

function printTable(rows: readonly Row[], withDigests: boolean): void {
  const digest = (text: string) => (withDigests ? [text] : []);
  const cells = rows.map((row) => [row.Repository, row.Tag, ...digest(row.Digest), row.ID, row.CreatedSince, row.Size]);
  const head = ["REPOSITORY", "TAG", ...digest("DIGEST"), "IMAGE ID", "CREATED", "SIZE"];
  for (const row of tableLines([head, ...cells])) line(row);
}
