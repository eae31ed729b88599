/**
 * `events`: tells what a container uses, at intervals or once, and when it runs out of memory.
 */
import { watchOom } from "../cgroup/oom-events.ts";
import { readFullStats } from "../cgroup/stats-full.ts";
import { isRunning, type ProcessName } from "../container/state.ts";
import { Failure } from "../failure.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { openPidfd } from "../linux/process.ts";
import { interfaceCounters } from "../network/counters.ts";
import { stringifyExact } from "../spec/json.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { line } from "../term/output.ts";
import { oneId } from "./arguments.ts";
import type { Globals } from "./globals.ts";
import { programName } from "./name.ts";
import { type ContainerRecord, recordOf, statusOfContainer } from "./record.ts";
import { type Event, oomEvent, statsEvent } from "./stats-event.ts";

const FLAGS = {
  stats: toggle("", "Tell once what it uses, and no more"),
  interval: text("", "TIME", "Between two tellings: 5s, 1m"),
} as const;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration as Go writes it, in one unit: `500ms`, `5s`. Milliseconds. */
export function parseInterval(duration: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(duration) ?? [];
  const ms = Number(digits) * (UNITS[unit] ?? Number.NaN);
  if (!(ms > 0)) throw new Failure("duration interval must be greater than 0", { hint: "as in 5s or 1m" });
  return ms;
}

function tell(event: Event): void {
  line(stringifyExact(event));
}

export const help = { usage: "[FLAGS] CONTAINER", flags: FLAGS };

export function run(argv: readonly string[], globals: Globals): number {
  const { flags, rest } = parseFlags("events", FLAGS, argv, { program: programName() });
  const intervalMs = parseInterval(flags.interval ?? "5s");
  const record = recordOf(globals.root, oneId("events", rest));
  const { cgroupPath, init } = record;
  const status = statusOfContainer(globals.root, record);
  if (status === "stopped" || init === undefined) throw new Failure(`container with id ${record.id} is not running`);
  if (cgroupPath === undefined) throw new Failure("events: the container has no cgroup");
  const tellStats = () => tell(statsEvent(record.id, readFullStats(cgroupPath), interfaceCounters(init.pid)));
  if (flags.stats === true) {
    tellStats();
    return 0;
  }
  follow(record, cgroupPath, init, { intervalMs, tellStats });
  return 0;
}

/** Until the container's first process ends. */
function follow(
  { id }: ContainerRecord,
  cgroupPath: string,
  init: ProcessName,
  { intervalMs, tellStats }: { readonly intervalMs: number; readonly tellStats: () => void },
): void {
  using loop = new EventLoop();
  using process = openPidfd(init.pid);
  if (process === undefined || !isRunning(init)) return;
  using oom = watchOom(cgroupPath);
  const again = () => {
    tellStats();
    loop.after(intervalMs, again);
  };
  loop.after(intervalMs, again);
  loop.watch(process.fd, () => loop.stop());
  if (oom !== undefined) {
    loop.watch(oom.fd, () => {
      const news = oom.take();
      if (news === "oom") tell(oomEvent(id));
      if (news === "gone") loop.unwatch(oom.fd);
    });
  }
  loop.run();
}
