/**
 * `resume`: has the processes of a paused container go on.
 */
import { thaw } from "../cgroup/freeze.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { recordOf, statusOfContainer } from "./record.ts";

export const help = { usage: "CONTAINER", flags: {} };

export function run(argv: readonly string[], globals: Globals): number {
  const { rest } = parseFlags("resume", {}, argv, { program: programName() });
  const record = recordOf(globals.root, oneId("resume", rest));
  if (statusOfContainer(globals.root, record) !== "paused" || record.cgroupPath === undefined) {
    throw new Failure("container not paused");
  }
  thaw(record.cgroupPath);
  return 0;
}
