/**
 * What of /proc and /sys a container does not see, or sees and cannot write: config-linux.md#masked-paths, #readonly-paths.
 * These are not (or were not always) split by namespaces: they tell of the host's hardware, keys and timing, or steer it.
 */

export const DEFAULT_MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts", // timing of the host's devices and keyboard
  "/proc/kcore",
  "/proc/keys", // of all sessions of the same user id
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap", // power as a side channel: CVE-2020-8694
  "/sys/firmware",
];

export const DEFAULT_READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];
