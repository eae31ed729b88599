/**
 * Quantities as people read them.
 */
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Drops a fraction of zero: `1.0` -> `1`. */
function short(number: number, digits: number): string {
  return String(Number(number.toFixed(digits)));
}

/** A limit of memory: "512 MB", "1.5 GB", "6.5 MB". */
export function formatMebibytes(bytes: number): string {
  return bytes >= GIB ? `${short(bytes / GIB, 2)} GB` : `${short(bytes / MIB, 2)} MB`;
}

/** A limit of CPU time: "50% of 1 core", "2 cores", "1 core". */
export function formatCores(cpus: number): string {
  if (cpus < 1) return `${short(cpus * 100, 1)}% of 1 core`;
  return cpus === 1 ? "1 core" : `${short(cpus, 2)} cores`;
}

/** How long a start took: "3.9 ms", "41 ms", "1.2s". */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)}s`;
}

/** How long something ran: "41 ms", "1.2s", "14s", "2m 14s", "3h 2m", "5d 3h". */
export function formatUptime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (milliseconds < 9950) return formatDuration(milliseconds);
  if (seconds < 60) return `${Math.max(seconds, 10)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3600)}h`;
}

const SIZE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** A size in three digits: "850B", "1.2KB", "145MB". `base` is 1000 (traffic, files) or 1024 (memory). */
export function formatSize(bytes: number, base: 1000 | 1024): string {
  let value = bytes;
  let unit = 0;
  // What would be rounded up to the base is one of the next unit: 999,999 bytes are 1MB.
  while (Math.round(value) >= base && unit < SIZE_UNITS.length - 1) {
    value /= base;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : short(value, 1)}${SIZE_UNITS[unit]}`;
}

const AGES: readonly [seconds: number, name: string][] = [
  [31_536_000, "year"],
  [2_592_000, "month"],
  [604_800, "week"],
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** How long ago something was: "3 minutes", "1 hour". */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [size, name] = AGES.find(([least]) => seconds >= least) ?? [1, "second"];
  const count = Math.floor(seconds / size);
  return `${count} ${name}${count === 1 ? "" : "s"}`;
}
