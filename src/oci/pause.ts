/**
 * `pause`: has all processes of a container stand still.
 */
import { freeze } from "../cgroup/freeze.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { recordOf, statusOfContainer } from "./record.ts";

export const help = { usage: "CONTAINER", flags: {} };

export function run(argv: readonly string[], globals: Globals): number {
  const { rest } = parseFlags("pause", {}, argv, { program: programName() });
  const record = recordOf(globals.root, oneId("pause", rest));
  const status = statusOfContainer(globals.root, record);
  if (status !== "running" && status !== "created") throw new Failure(`container not running: it is ${status}`);
  if (record.cgroupPath === undefined) throw new Failure("cannot pause: the container has no cgroup");
  freeze(record.cgroupPath);
  return 0;
}
