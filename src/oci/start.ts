/**
 * `start`: lets the program of a container go that was made by `create`.
 */

import { awaitReport } from "../container/channel.ts";
import { passGate } from "../container/start-gate.ts";
import { Failure } from "../failure.ts";
import { openPidfd } from "../linux/process.ts";
import { parseFlags } from "../term/flags.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { hasHooks, hookRunner, stateOf, stateText } from "./hooked.ts";
import { listenerOf } from "./make.ts";
import { seccompOf } from "./plan.ts";
import { configOf, pathsOf, recordOf, statusOfContainer } from "./record.ts";
import { tellLog } from "./report.ts";

export async function run(argv: readonly string[], globals: Globals): Promise<number> {
  const { rest } = parseFlags("start", {}, argv, { program: "mycontainer-runtime" });
  const id = oneId("start", rest);
  const record = recordOf(globals.root, id);
  const status = statusOfContainer(globals.root, record);
  const pid = record.init?.pid ?? 0;
  if (status === "stopped") throw new Failure("cannot start a container that has stopped");
  if (status !== "created") throw new Failure("cannot start an already running container");
  const spec = configOf(globals.root, id);
  using channel = passGate(pathsOf(globals.root, id).gate, stateText(spec, record, "created", pid));
  if (channel === undefined) throw new Failure("cannot start an already running container");
  const warn = (text: string) => tellLog(globals, "warning", text);
  const take = await listenerOf(seccompOf(spec), () => stateOf(spec, record, "created", pid));
  const listener = (fd: number) => {
    using pidfd = openPidfd(pid);
    if (pidfd !== undefined) take?.({ pid, pidfd }, fd);
  };
  awaitReport(channel.fd, "end", { warn, listener });
  if (hasHooks(spec.hooks)) {
    const runHooks = await hookRunner(globals);
    runHooks("poststart", spec.hooks?.poststart ?? [], stateText(spec, record, "running", pid));
  }
  return 0;
}
