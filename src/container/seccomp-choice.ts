/**
 * Which filter of system calls a container is to have, from its options. A profile in a file is read here, and its conditions
 * are resolved for the container; the parser is loaded only for that.
 */
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { arch } from "../linux/door.ts";
import { readText } from "../linux/hostpath.ts";
import { capabilitiesOf } from "./compose.ts";
import type { RunOptions } from "./options.ts";
import { parseSecurityOptions } from "./security-options.ts";

/** Throws a Failure if the profile cannot be read, or is malformed. */
export async function chooseSeccomp(options: RunOptions): Promise<SeccompChoice> {
  const { seccomp } = parseSecurityOptions(options.securityOpts);
  if (seccomp?.kind === "unconfined") return { kind: "none" };
  // As with docker, a profile that is asked for holds with --privileged, too.
  if (seccomp === undefined) return { kind: options.privileged ? "none" : "default" };
  const { parseProfile } = await import("../isolation/seccomp/profile-file.ts");
  const facts = {
    capabilities: capabilitiesOf(options),
    machine: arch,
    kernelRelease: readText("/proc/sys/kernel/osrelease").trim(),
  };
  return { kind: "profile", profile: parseProfile(readText(seccomp.path), seccomp.path, facts) };
}
