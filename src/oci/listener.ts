/**
 * Who is told of the calls that a seccomp profile announces (config-linux.md#seccomp, listenerPath).
 */
import type { HookState } from "../container/hook-state.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { forwardListener, processState } from "../isolation/seccomp/notify.ts";
import type { Child } from "../linux/process.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

/** Hands announced calls on to the agent that the profile names; undefined if the profile announces none. */
export function listenerOf(
  seccomp: SeccompChoice,
  state: (pid: number) => HookState,
): ((child: Child, fd: number) => void) | undefined {
  if (seccomp.kind !== "profile" || !seccomp.profile.listenerPath) return undefined;
  const { listenerPath: path, listenerMetadata: metadata } = seccomp.profile;
  return ({ pid, pidfd }, fdNumber) =>
    forwardListener({
      pidfd: pidfd.fd,
      fdNumber,
      path,
      processState: processState({ ociVersion: OCI_VERSION_MAX, pid, metadata, state: state(pid) }),
    });
}
