/**
 * What a cgroup uses.
 */
import { numberOf, readIfAlive } from "./file.ts";
import { detectLayout, directoryOf } from "./layout.ts";
import { nestedIn } from "./members.ts";
import { checkCgroupPath } from "./path.ts";

export interface CgroupStats {
  /** Since the container was made. */
  readonly cpuUsageNs: number;
  /** Without what the kernel would drop first (inactive files), as docker counts. */
  readonly memoryUsageBytes: number;
  /** Undefined for none. */
  readonly memoryLimitBytes: number | undefined;
  readonly pids: number;
  readonly pidsLimit: number | undefined;
  readonly ioReadBytes: number;
  readonly ioWriteBytes: number;
}

/** Version 1 says "no limit" as the largest multiple of a page; whatever no machine has is none. */
const NO_LIMIT_BYTES = 2 ** 62;

/** What is used by the cgroup at `path`, 0 where the host does not count; undefined if there is no such cgroup. */
export function readStats(path: string): CgroupStats | undefined {
  checkCgroupPath(path);
  return detectLayout().kind === "v2" ? readV2(path) : readV1(path);
}

/** Reads files of the cgroup at `path`; undefined for what is not there. */
export function reader(path: string): (controller: string, file: string) => string | undefined {
  const layout = detectLayout();
  return (controller, file) => {
    const directory = directoryOf(layout, controller, path);
    return directory === undefined ? undefined : readIfAlive(`${directory}/${file}`);
  };
}

function limitOf(text: string | undefined): number | undefined {
  const limit = Number(text?.trim() ?? "max");
  return limit < NO_LIMIT_BYTES ? limit : undefined;
}

function readV2(path: string): CgroupStats | undefined {
  const text = reader(path);
  const cpu = text("cpu", "cpu.stat");
  if (cpu === undefined) return undefined;
  const inactive = numberOf(text("memory", "memory.stat"), "inactive_file") ?? 0;
  return {
    cpuUsageNs: (numberOf(cpu, "usage_usec") ?? 0) * 1000,
    memoryUsageBytes: Math.max(0, Number(text("memory", "memory.current") ?? 0) - inactive),
    memoryLimitBytes: limitOf(text("memory", "memory.max")),
    pids: Number(text("pids", "pids.current") ?? 0),
    pidsLimit: limitOf(text("pids", "pids.max")),
    ...sumIoStat(text("io", "io.stat") ?? ""),
  };
}

/** `io.stat`: a line a device, as in `8:0 rbytes=4096 wbytes=0 rios=1 ...`. Pure. */
export function sumIoStat(text: string): Pick<CgroupStats, "ioReadBytes" | "ioWriteBytes"> {
  let [ioReadBytes, ioWriteBytes] = [0, 0];
  for (const word of text.split(/\s/)) {
    if (word.startsWith("rbytes=")) ioReadBytes += Number(word.slice("rbytes=".length));
    if (word.startsWith("wbytes=")) ioWriteBytes += Number(word.slice("wbytes=".length));
  }
  return { ioReadBytes, ioWriteBytes };
}

function readV1(path: string): CgroupStats | undefined {
  const text = reader(path);
  const [cpu, memory, pids] = [
    text("cpuacct", "cpuacct.usage"),
    text("memory", "memory.usage_in_bytes"),
    text("pids", "pids.current"),
  ];
  if (cpu === undefined && memory === undefined && pids === undefined) return undefined;
  const inactive = numberOf(text("memory", "memory.stat"), "total_inactive_file") ?? 0;
  return {
    cpuUsageNs: Number(cpu ?? 0),
    memoryUsageBytes: Math.max(0, Number(memory ?? 0) - inactive),
    memoryLimitBytes: limitOf(text("memory", "memory.limit_in_bytes")),
    pids: Number(pids ?? 0),
    pidsLimit: limitOf(text("pids", "pids.max")),
    ...sumServiceBytes(text("blkio", "blkio.throttle.io_service_bytes_recursive") ?? ""),
  };
}

/** `blkio.throttle.io_service_bytes_recursive`: lines as in `8:0 Read 4096`. Pure. */
export function sumServiceBytes(text: string): Pick<CgroupStats, "ioReadBytes" | "ioWriteBytes"> {
  let [ioReadBytes, ioWriteBytes] = [0, 0];
  for (const line of text.split("\n")) {
    const [, operation, bytes] = line.split(" ");
    if (operation === "Read") ioReadBytes += Number(bytes);
    if (operation === "Write") ioWriteBytes += Number(bytes);
  }
  return { ioReadBytes, ioWriteBytes };
}

/**
 * How many processes of the cgroup at `path`, and of cgroups nested in it, the kernel killed for want of memory; 0 if it is
 * not there. Version 1 counts a process in its own cgroup alone; version 2 in those above too, but not if the host has
 * mounted it with `memory_localevents`.
 */
export function oomKills(path: string): number {
  const layout = detectLayout();
  const directory = directoryOf(layout, "memory", checkCgroupPath(path));
  if (directory === undefined) return 0;
  return layout.kind === "v2" ? (countIn(`${directory}/memory.events`) ?? 0) : sumOfTree(directory);
}

function countIn(file: string): number | undefined {
  return numberOf(readIfAlive(file), "oom_kill");
}

function sumOfTree(directory: string): number {
  const own = countIn(`${directory}/memory.oom_control`);
  return own === undefined ? 0 : nestedIn(directory).reduce((sum, nested) => sum + sumOfTree(nested), own);
}
