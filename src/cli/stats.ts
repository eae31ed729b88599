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
import { print } from "../term/output.ts";
import { FORMAT_FLAG, parseFormat, printListing } from "./listing.ts";
import { currentStates } from "./ps.ts";
import { requireRoot } from "./root.ts";

const FLAGS = {
  format: text(...FORMAT_FLAG),
  "no-stream": toggle("", "Show it once (the default where output is no terminal)"),
} as const;

/** Between two looks: what CPU time is compared over. */
const SAMPLE_MS = 500;
const REFRESH_MS = 1000;
const STDOUT = 1;
const TITLES = {
  Name: "CONTAINER",
  CPUPerc: "CPU",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  NetIO: "NET I/O",
} as const;
const COLUMNS = ["Name", "CPUPerc", "MemUsage", "NetIO", "PIDs"] as const;

interface Sample {
  readonly atMs: number;
  readonly cgroup: CgroupStats;
}

export function run(argv: readonly string[]): number {
  if (isHelp(argv, FLAGS)) return printHelp("stats", "[FLAGS] [CONTAINER...]", "Shows what containers use.", FLAGS);
  const { flags, rest } = parseFlags("stats", FLAGS, argv);
  const format = parseFormat(flags.format);
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
    printListing(format, { titles: TITLES, columns: COLUMNS, rows });
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

function rowOf(state: ContainerState, before: Sample | undefined, now: Sample | undefined) {
  if (now === undefined) return [];
  const elapsedNs = before === undefined ? 0 : (now.atMs - before.atMs) * 1e6;
  const usedNs = before === undefined ? 0 : now.cgroup.cpuUsageNs - before.cgroup.cpuUsageNs;
  const { memoryUsageBytes: memoryBytes, memoryLimitBytes, pids } = now.cgroup;
  const cpuPercent = elapsedNs > 0 ? (usedNs / elapsedNs) * 100 : 0;
  const limit = memoryLimitBytes === undefined ? "none" : formatSize(memoryLimitBytes, 1024);
  const traffic = state.hasNetwork ? readTraffic(`veth0-${linkSuffix(state.id)}`) : undefined;
  const { rxBytes, txBytes } = traffic ?? { rxBytes: 0, txBytes: 0 };
  return [
    {
      id: state.id,
      name: state.name,
      cpuPercent,
      memoryBytes,
      memoryLimitBytes,
      rxBytes,
      txBytes,
      pids,
      // What docker calls them, as it shows them.
      Container: state.id,
      ID: state.id,
      Name: state.name,
      CPUPerc: `${cpuPercent.toFixed(1)}%`,
      MemUsage: `${formatSize(memoryBytes, 1024)} / ${limit}`,
      MemPerc: memoryLimitBytes === undefined ? "--" : `${((memoryBytes / memoryLimitBytes) * 100).toFixed(2)}%`,
      NetIO: `${formatSize(rxBytes, 1000)} / ${formatSize(txBytes, 1000)}`,
      PIDs: String(pids),
    },
  ];
}
