/**
 * What `list` prints, in runc's two formats.
 */
import { stringifyExact } from "../spec/json.ts";

/** One container. The names, and the order of the fields, are those of runc's JSON. */
export interface ListEntry {
  readonly ociVersion: string;
  readonly id: string;
  /** 0 if it has none (any more). */
  readonly pid: number;
  readonly status: "creating" | "created" | "running" | "paused" | "stopped";
  readonly bundle: string;
  /** Absolute. */
  readonly rootfs: string;
  /** RFC 3339, in UTC, with nanoseconds. */
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The name of the user who made it, or `#` and the number of one who has no name. */
  readonly owner: string;
}

const HEADINGS: readonly string[] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
const MIN_WIDTH = 12;
const PADDING = 3;

/** The table for people, with its headings also where there is nothing to list. Pure. */
export function listTable(entries: readonly ListEntry[]): string {
  const rows = [
    HEADINGS,
    ...entries.map(({ id, pid, status, bundle, created, owner }) => [id, `${pid}`, status, bundle, created, owner]),
  ];
  const widths = HEADINGS.map((_, column) =>
    Math.max(MIN_WIDTH, ...rows.map((row) => lengthOf(row[column] ?? "") + PADDING)),
  );
  // The last column is as wide as what is in it.
  return rows
    .map((row) => row.map((cell, column) => (column < row.length - 1 ? padded(cell, widths[column] ?? 0) : cell)))
    .map((cells) => `${cells.join("")}\n`)
    .join("");
}

/** In characters, of which one may be two units of a string. */
function lengthOf(text: string): number {
  return [...text].length;
}

function padded(cell: string, width: number): string {
  return cell + " ".repeat(width - lengthOf(cell));
}

/** For programs: an array, or `null` where there is nothing to list, as Go writes it. Without a newline. Pure. */
export function listJson(entries: readonly ListEntry[]): string {
  if (entries.length === 0) return "null";
  return stringifyExact(
    entries.map(({ ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner }) => ({
      ociVersion,
      id,
      pid,
      status,
      bundle,
      rootfs,
      created,
      ...(Object.keys(annotations ?? {}).length === 0 ? {} : { annotations }),
      owner,
    })),
  );
}
