/**
 * `pause`: has all processes of a container stand still.
 */
import { freeze } from "../cgroup/freeze.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { lockRecord, recordOf, statusOfContainer } from "./record.ts";

export const help = { usage: "CONTAINER", flags: {} };

export function run(argv: readonly string[], globals: Globals): number {
  const { rest } = parseFlags("pause", {}, argv, { program: programName() });
  const id = oneId("pause", rest);
  cgroupToFreeze(globals.root, id);
  // Meanwhile nobody removes it and makes another of its id, in the same cgroup, which would come to a standstill before it is made.
  using _lock = lockRecord(globals.root, id);
  freeze(cgroupToFreeze(globals.root, id));
  return 0;
}

function cgroupToFreeze(root: string, id: string): string {
  const record = recordOf(root, id);
  const status = statusOfContainer(root, record);
  if (status !== "running" && status !== "created") throw new Failure(`container not running: it is ${status}`);
  if (record.cgroupPath === undefined) throw new Failure("cannot pause: the container has no cgroup");
  return record.cgroupPath;
}
