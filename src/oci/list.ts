/**
 * `list`: tells which containers there are.
 */

import { Failure } from "../failure.ts";
import { readTextIfThere, statusOf } from "../linux/hostpath.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { print } from "../term/output.ts";
import type { Globals } from "./globals.ts";
import { type ListEntry, listJson, listTable } from "./list-table.ts";
import { programName } from "./name.ts";
import { configOf, listIds, readRecord, statusOfContainer } from "./record.ts";
import { tellLog } from "./report.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

const FLAGS = {
  format: text("f", "FORMAT", "table or json"),
  quiet: toggle("q", "Ids only"),
} as const;

export const help = { usage: "[FLAGS]", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags } = parseFlags("list", FLAGS, argv, { program: programName() });
  if (globals.rootIsNamed && statusOf(globals.root) === undefined) {
    throw new Failure(`unable to list containers: ${globals.root}: no such file or directory`);
  }
  const format = flags.format ?? "table";
  if (format !== "table" && format !== "json") throw new Failure("invalid format option");
  if (flags.quiet === true) {
    for (const id of listIds(globals.root)) print(`${id}\n`);
    return 0;
  }
  const owners = ownerNames();
  const entries = listIds(globals.root).flatMap((id) => entryOf(globals, id, owners));
  print(format === "json" ? listJson(entries) : listTable(entries));
  return 0;
}

/** Nothing for a container that is gone meanwhile, or whose state cannot be read: that is told, and the others are listed. */
function entryOf(globals: Globals, id: string, owners: ReadonlyMap<string, string>): ListEntry[] {
  try {
    const record = readRecord(globals.root, id);
    if (record === undefined) return [];
    const status = statusOfContainer(globals.root, record);
    const { annotations } = configOf(globals.root, record);
    return [
      {
        ociVersion: OCI_VERSION_MAX,
        id,
        pid: status === "stopped" ? 0 : (record.init?.pid ?? 0),
        status,
        bundle: record.bundle,
        rootfs: record.rootfs,
        created: record.created,
        ...(annotations === undefined ? {} : { annotations }),
        owner: owners.get(String(record.uid)) ?? `#${record.uid}`,
      },
    ];
  } catch (error) {
    tellLog(globals, "warning", `container ${id}: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

/** uid -> name, of the host. */
function ownerNames(): Map<string, string> {
  const lines = (readTextIfThere("/etc/passwd") ?? "").split("\n").reverse();
  return new Map(
    lines.map((line) => {
      const [name = "", , uid = ""] = line.split(":", 3);
      return [uid, name];
    }),
  );
}
