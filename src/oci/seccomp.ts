/**
 * Which filter of system calls a specification asks for.
 */
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import type { Spec } from "../spec/config.ts";

export function seccompOf(spec: Spec): SeccompChoice {
  const profile = spec.linux?.seccomp;
  return profile === undefined ? { kind: "none" } : { kind: "profile", profile };
}
