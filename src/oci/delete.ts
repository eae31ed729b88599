/**
 * `delete`: removes a container that has stopped, or was never started; with `--force` also one that runs.
 */

import { Failure } from "../failure.ts";
import type { Spec } from "../spec/config.ts";
import { parseFlags, toggle } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import { destroy } from "./destroy.ts";
import type { Globals } from "./globals.ts";
import { hasHooks, hookRunner, stateText } from "./hooked.ts";
import { programName } from "./name.ts";
import { type ContainerRecord, checkId, configOf, lockRecord, readRecord, statusOfContainer } from "./record.ts";

const FLAGS = { force: toggle("f", "Kill the container if it runs, and pass over one that there is not") } as const;

export const help = { usage: "[--force] CONTAINER", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("delete", FLAGS, argv, { program: programName() });
  const id = checkId(oneId("delete", rest));
  const isForced = flags.force === true;
  using lock = lockRecord(globals.root, id);
  if (lock === undefined) {
    if (isForced) return 0;
    throw new Failure("container does not exist");
  }
  remove(globals, id, isForced);
  return 0;
}

/** Removes a container whose lock the caller has, and runs its last hooks. */
export function remove(globals: Globals, id: string, isForced: boolean): void {
  const record = readRecord(globals.root, id);
  if (record === undefined) return destroy(globals, { id });
  const status = statusOfContainer(globals.root, record);
  if ((status === "running" || status === "paused") && !isForced) {
    throw new Failure(`cannot delete container ${id} that is not stopped: ${status}`, {
      hint: "kill it first, or use --force",
    });
  }
  finish(globals, record, record.complete ? configOf(globals.root, record) : undefined);
}

/** Gives back what a container has, and runs its last hooks; the caller has its lock. */
export function finish(globals: Globals, record: ContainerRecord, spec: Spec | undefined): void {
  destroy(globals, record);
  if (spec === undefined || !hasHooks(spec.hooks)) return;
  const runHooks = hookRunner(globals);
  runHooks("poststop", spec.hooks?.poststop ?? [], stateText(spec, record, "stopped", 0));
}
