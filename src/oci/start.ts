/**
 * `start`: lets the program of a container go that was made by `create`.
 */

import { awaitReport } from "../container/channel.ts";
import { passGate } from "../container/start-gate.ts";
import { isRunning } from "../container/state.ts";
import { Failure } from "../failure.ts";
import type { Handle } from "../linux/fd.ts";
import { openPidfd } from "../linux/process.ts";
import type { Spec } from "../spec/config.ts";
import { parseFlags } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import { killInit } from "./destroy.ts";
import type { Globals } from "./globals.ts";
import { hasHooks, hookRunner, stateOf, stateText } from "./hooked.ts";
import { listenerOf } from "./listener.ts";
import { programName } from "./name.ts";
import { type ContainerRecord, configOf, lockRecord, pathsOf, recordOf, statusOfContainer } from "./record.ts";
import { tellLog } from "./report.ts";
import { seccompOf } from "./seccomp.ts";

export const help = { usage: "CONTAINER", flags: {} };

export function run(argv: readonly string[], globals: Globals): number {
  const { rest } = parseFlags("start", {}, argv, { program: programName() });
  const id = oneId("start", rest);
  refuseUnlessCreated(globals, recordOf(globals.root, id));
  const { record, spec, channel } = passGateOf(globals, id);
  using _channel = channel;
  const pid = record.init?.pid ?? 0;
  const warn = (text: string) => tellLog(globals, "warning", text);
  const take = listenerOf(seccompOf(spec), () => stateOf(spec, record, "created", pid));
  const listener = (fd: number) => {
    using pidfd = openPidfd(pid);
    if (pidfd !== undefined && isRunning(record.init)) take?.({ pid, pidfd }, fd);
  };
  const debug = globals.debug ? (text: string) => tellLog(globals, "debug", text) : undefined;
  try {
    awaitReport(channel.fd, "end", { warn, debug, listener });
    if (hasHooks(spec.hooks)) {
      const runHooks = hookRunner(globals);
      runHooks("poststart", spec.hooks?.poststart ?? [], stateText(spec, record, "running", pid));
    }
  } catch (error) {
    // The program does not go on: runtime.md#lifecycle. Who made the container removes it.
    killInit(record);
    throw error;
  }
  return 0;
}

function refuseUnlessCreated({ root }: Globals, record: ContainerRecord): void {
  const status = statusOfContainer(root, record);
  if (status === "stopped") throw new Failure("cannot start a container that has stopped");
  if (status !== "created") throw new Failure("cannot start an already running container");
}

/** Lets the container go. Meanwhile nobody removes it and makes another of its id, whose gate would be the one that is opened. */
function passGateOf(globals: Globals, id: string): { record: ContainerRecord; spec: Spec; channel: Handle } {
  using _lock = lockRecord(globals.root, id);
  const record = recordOf(globals.root, id);
  refuseUnlessCreated(globals, record);
  const spec = configOf(globals.root, record);
  const channel = passGate(pathsOf(globals.root, id).gate, record.init?.pid ?? 0);
  if (channel === undefined) throw new Failure("cannot start an already running container");
  return { record, spec, channel };
}
