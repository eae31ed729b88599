/**
 * `state`: prints the state of a container (runtime.md#query-state).
 */

import type { Spec } from "../spec/config.ts";
import { parseFlags } from "../term/flags.ts";
import { line } from "../term/output.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { type ContainerRecord, configOf, recordOf, type Status, statusOfContainer } from "./record.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

/** The state as runc prints it: that of the specification, and some more. Pure. */
export function stateOf(record: ContainerRecord, spec: Spec, status: Status): Record<string, unknown> {
  return {
    ociVersion: OCI_VERSION_MAX,
    id: record.id,
    pid: status === "stopped" ? 0 : (record.init?.pid ?? 0),
    status,
    bundle: record.bundle,
    rootfs: record.rootfs,
    created: record.created,
    ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    owner: "",
  };
}

export const help = { usage: "CONTAINER", flags: {} };

export function run(argv: readonly string[], globals: Globals): number {
  const { rest } = parseFlags("state", {}, argv, { program: programName() });
  const record = recordOf(globals.root, oneId("state", rest));
  const state = stateOf(record, configOf(globals.root, record), statusOfContainer(globals.root, record));
  line(JSON.stringify(state, undefined, 2));
  return 0;
}
