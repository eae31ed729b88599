/**
 * `mycontainer logs`.
 */
import { currentState } from "../container/control.ts";
import type { LogRecord } from "../container/log.ts";
import { containerPaths, stateRoot } from "../container/paths.ts";
import { followLog, readLog } from "../container/read-log.ts";
import { findContainer, isRunning } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { wallClockMs } from "../linux/clock.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { exists } from "../linux/hostpath.ts";
import { openPidfd } from "../linux/process.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { print, printError } from "../term/output.ts";
import { requireRoot } from "./root.ts";
import { parseSeconds, parseWhole } from "./values.ts";

const FLAGS = {
  follow: toggle("f", "Go on as it writes, until it ends"),
  since: text("", "TIME", "Only what is newer than this time, or than so long ago, as in 10m"),
  tail: text("n", "LINES", "Only the last lines"),
  timestamps: toggle("t", "Show when each line was written"),
} as const;

const MOST_LINES = 1e9;

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS))
    return printHelp("logs", "[FLAGS] CONTAINER", "Shows what a detached container has written.", FLAGS);
  const { flags, rest } = parseFlags("logs", FLAGS, argv);
  const [name, extra] = rest;
  if (name === undefined || extra !== undefined) throw new Failure("'logs' needs one container");
  requireRoot();
  const root = stateRoot();
  const state = currentState(root, findContainer(root, name));
  const path = containerPaths(root, state.id).log;
  if (!exists(path)) {
    if (state.detached) return 0;
    throw new Failure(`container '${name}' has no log`, {
      hint: "only those that were started with --detach have one",
    });
  }
  const sinceMs = flags.since === undefined ? 0 : parseSince(flags.since);
  const show = (record: LogRecord) => {
    if (Date.parse(`${record.time.slice(0, 23)}Z`) < sinceMs) return;
    const told = flags.timestamps === true ? `${record.time} ${record.log}` : record.log;
    if (record.stream === "stderr") printError(told);
    else print(told);
  };
  const last =
    flags.tail === undefined || flags.tail === "all"
      ? undefined
      : parseWhole(flags.tail, "number of lines", 0, MOST_LINES);
  if (flags.follow === true && state.status === "running" && isRunning(state.supervisor)) {
    follow(path, state.supervisor.pid, show, last);
  } else {
    for (const record of lastOf(readLog(path), last)) show(record);
  }
  return 0;
}

/** Shows what is there and what comes, until the supervisor, who writes it, has ended. */
function follow(
  path: string,
  supervisorPid: number,
  show: (record: LogRecord) => void,
  last: number | undefined,
): void {
  using loop = new EventLoop();
  using supervisor = openPidfd(supervisorPid);
  const early: LogRecord[] = [];
  let started = false;
  using log = followLog(path, loop, (record) => {
    if (started) show(record);
    else early.push(record);
  });
  for (const record of lastOf(early, last)) show(record);
  started = true;
  if (supervisor !== undefined) {
    loop.watch(supervisor.fd, () => loop.stop());
    loop.run();
  }
  log.drain();
}

function lastOf(records: Iterable<LogRecord>, count: number | undefined): Iterable<LogRecord> {
  if (count === undefined) return records;
  const kept: LogRecord[] = [];
  for (const record of records) {
    kept.push(record);
    if (kept.length > count) kept.shift();
  }
  return kept;
}

function parseSince(input: string): number {
  const time = Date.parse(input);
  if (/^\d{4}-/.test(input) && !Number.isNaN(time)) return time;
  return wallClockMs() - parseSeconds(input, "time") * 1000;
}
