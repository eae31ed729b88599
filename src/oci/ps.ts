/**
 * `ps`: tells which processes a container has.
 */
import { processesIn } from "../cgroup/members.ts";
import { DEFAULT_PS_ARGUMENTS, psJson, psTable } from "../container/ps-table.ts";
import { runPs } from "../container/run-ps.ts";
import { Failure } from "../failure.ts";
import { parseFlags, text } from "../term/flags.ts";
import { print } from "../term/output.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { recordOf } from "./record.ts";

const FLAGS = { format: text("f", "FORMAT", "table or json") } as const;

export const help = { usage: "[--format FORMAT] CONTAINER [FLAGS OF ps]", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("ps", FLAGS, argv, { program: programName(), stopAtFirstWord: true });
  const [id, ...args] = rest;
  if (id === undefined) {
    throw new Failure('"ps" requires a container', { hint: `${programName()} ps CONTAINER [FLAGS OF ps]` });
  }
  const format = flags.format ?? "table";
  if (format !== "table" && format !== "json") throw new Failure("invalid format option");
  const { cgroupPath } = recordOf(globals.root, id);
  if (cgroupPath === undefined) throw new Failure("ps: the container has no cgroup by which its processes are known");
  const pids = processesIn(cgroupPath);
  print(format === "json" ? `${psJson(pids)}\n` : psTable(pids, runPs(args.length > 0 ? args : DEFAULT_PS_ARGUMENTS)));
  return 0;
}
