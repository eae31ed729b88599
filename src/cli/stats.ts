/**
 * `mycontainer stats`.
 */
import { type CgroupStats, readStats } from "../cgroup/stats.ts";
import { stateRoot } from "../container/paths.ts";
import { type ContainerState, findContainer } from "../container/state.ts";
import { monotonicMs } from "../linux/clock.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { blockExactly, nextSignal, SIG, signalDescriptor } from "../linux/signal.ts";
import { isTerminal } from "../linux/tty.ts";
import { readTraffic } from "../network/attach.ts";
import { linkSuffix } from "../network/plan.ts";
import { parseFlags, text, toggle } from "../term/flags.ts";
import { formatSize } from "../term/format.ts";
import { isHelp, printHelp } from "../term/help.ts";
import { line, print } from "../term/output.ts";
import { tableLines } from "../term/table.ts";
import { wantsJson } from "./format-flag.ts";
import { currentStates } from "./ps.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  format: text("", "table|json", "How it is shown"),
  "no-stream": toggle("", "Show it once (the default where output is no terminal)"),
} as const;

/** Between two looks: what CPU time is compared over. */
const SAMPLE_MS = 500;
const REFRESH_MS = 1000;
const STDOUT = 1;
const HEADER = ["CONTAINER", "CPU", "MEM USAGE / LIMIT", "NET I/O", "PIDS"];

interface Sample {
  readonly atMs: number;
  readonly cgroup: CgroupStats;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number | undefined;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly pids: number;
}

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("stats", "[FLAGS] [CONTAINER...]", "Shows what containers use.", FLAGS);
  const { flags, rest } = parseFlags("stats", FLAGS, argv);
  const asJson = wantsJson(flags.format);
  requireRoot();
  const root = stateRoot();
  const wanted = rest.length === 0 ? undefined : new Set(rest.map((name) => findContainer(root, name)));
  const running = () =>
    currentStates().filter(({ id, status }) => status === "running" && (wanted === undefined || wanted.has(id)));
  const stream = flags["no-stream"] !== true && isTerminal(STDOUT);
  blockExactly([SIG.INT, SIG.TERM]);
  using signals = signalDescriptor([SIG.INT, SIG.TERM]);
  using loop = new EventLoop();
  loop.watch(signals.fd, () => {
    while (nextSignal(signals.fd) !== undefined) loop.stop();
  });
  let before = sampleAll(running());
  const show = () => {
    const states = running();
    const now = sampleAll(states);
    const rows = states.flatMap((state) => rowOf(state, before.get(state.id), now.get(state.id)));
    before = now;
    if (stream) print("\x1b[H\x1b[J");
    printRows(rows, asJson);
    if (stream) loop.after(REFRESH_MS, show);
    else loop.stop();
  };
  loop.after(SAMPLE_MS, show);
  loop.run();
  return 0;
}

function sampleAll(states: readonly ContainerState[]): Map<string, Sample> {
  const samples = new Map<string, Sample>();
  for (const { id, cgroupPath } of states) {
    const cgroup = readStats(cgroupPath);
    if (cgroup !== undefined) samples.set(id, { atMs: monotonicMs(), cgroup });
  }
  return samples;
}

function rowOf(state: ContainerState, before: Sample | undefined, now: Sample | undefined): Row[] {
  if (now === undefined) return [];
  const elapsedNs = before === undefined ? 0 : (now.atMs - before.atMs) * 1e6;
  const usedNs = before === undefined ? 0 : now.cgroup.cpuUsageNs - before.cgroup.cpuUsageNs;
  const traffic = state.hasNetwork ? readTraffic(`veth0-${linkSuffix(state.id)}`) : undefined;
  return [
    {
      id: state.id,
      name: state.name,
      cpuPercent: elapsedNs > 0 ? (usedNs / elapsedNs) * 100 : 0,
      memoryBytes: now.cgroup.memoryUsageBytes,
      memoryLimitBytes: now.cgroup.memoryLimitBytes,
      rxBytes: traffic?.rxBytes ?? 0,
      txBytes: traffic?.txBytes ?? 0,
      pids: now.cgroup.pids,
    },
  ];
}

function printRows(rows: readonly Row[], asJson: boolean): void {
  if (asJson) {
    for (const row of rows) line(JSON.stringify(row));
    return;
  }
  const cells = rows.map((row) => [
    row.name,
    `${row.cpuPercent.toFixed(1)}%`,
    `${formatSize(row.memoryBytes, 1024)} / ${row.memoryLimitBytes === undefined ? "none" : formatSize(row.memoryLimitBytes, 1024)}`,
    `${formatSize(row.rxBytes, 1000)} / ${formatSize(row.txBytes, 1000)}`,
    String(row.pids),
  ]);
  for (const text of tableLines([HEADER, ...cells])) line(text);
}
