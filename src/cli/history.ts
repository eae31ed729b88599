/**
 * `mycontainer history`.
 */
import { stateRoot } from "../container/paths.ts";
import { Failure } from "../failure.ts";
import { type HistoryStep, imageHistory } from "../image/history.ts";
import { hexOf } from "../image/reference.ts";
import { reconcileStore } from "../image/staging.ts";
import { wallClockMs } from "../linux/clock.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { formatAge, formatSize } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line } from "../term/output.ts";
import { readAliases } from "./aliases.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  format: text(...FORMAT_FLAG),
  "no-trunc": toggle("", "Do not cut ids and instructions"),
  quiet: toggle("q", "Show ids only"),
} as const;

const TITLES = { ID: "IMAGE", CreatedSince: "CREATED", CreatedAt: "CREATED AT", CreatedBy: "CREATED BY" } as const;
const SHORT_ID = 12;
const INSTRUCTION_WIDTH = 45;
/** Steps but the last have no image of their own, as with docker since it keeps layers by content. */
const MISSING = "<missing>";

export async function run(argv: readonly string[]): Promise<number> {
  if (isHelp(argv, FLAGS)) {
    return printHelp("history", "[FLAGS] IMAGE", "Shows how an image was made, the last step first.", FLAGS);
  }
  const { flags, rest } = parseFlags("history", FLAGS, argv);
  const [image, another] = rest;
  if (image === undefined) throw new Failure("'history' needs an image", { hint: "as in: mycontainer history NAME" });
  if (another !== undefined) throw new Failure(`'history' takes one image, and got '${another}' as well`);
  const format = parseFormat(flags.format);
  requireRoot();
  const { images } = stateRoot();
  reconcileStore(images);
  const { id, steps } = imageHistory(images, (await readAliases())(image));
  const isWhole = flags["no-trunc"] === true;
  const now = wallClockMs();
  const shownId = isWhole ? id : hexOf(id).slice(0, SHORT_ID);
  const rows = [...steps].reverse().map((step, index) => rowOf(step, index === 0 ? shownId : MISSING, isWhole, now));
  if (flags.quiet === true) for (const { ID } of rows) line(ID);
  else printListing(format, { titles: TITLES, columns: ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"], rows });
  return 0;
}

/** Words of an image on one line, with nothing that a terminal would obey. */
function plain(words: string): string {
  return words.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ").trim();
}

function rowOf(step: HistoryStep, id: string, isWhole: boolean, now: number) {
  const { createdMs, sizeBytes } = step;
  const by = plain(step.createdBy);
  const isCut = !isWhole && by.length > INSTRUCTION_WIDTH;
  return {
    ID: id,
    CreatedAt: createdMs === 0 ? "N/A" : new Date(createdMs).toISOString(),
    CreatedSince: createdMs === 0 ? "N/A" : `${formatAge(now - createdMs)} ago`,
    CreatedBy: isCut ? `${by.slice(0, INSTRUCTION_WIDTH - 1)}…` : by,
    Size: formatSize(sizeBytes, 1000),
    Comment: plain(step.comment),
  };
}
