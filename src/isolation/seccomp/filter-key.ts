/**
 * Which default filter a container has: by machine, and by those of its capabilities that the profile depends on.
 */
import type { MachineArch } from "./architectures.ts";

/** As the profile's RELEVANT_CAPABILITIES (a test compares them); here, so that the profile need not be loaded. */
export const KEY_CAPABILITIES =
  "BPF DAC_READ_SEARCH NET_RAW PERFMON SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE " +
  "SYS_RAWIO SYS_TIME SYS_TTY_CONFIG";

/** `"x86_64 NET_RAW SYS_CHROOT"`. */
export function filterKey(capabilities: readonly string[], machine: MachineArch): string {
  const relevant = KEY_CAPABILITIES.split(" ").filter((name) => capabilities.includes(`CAP_${name}`));
  return [machine, ...relevant].join(" ");
}
