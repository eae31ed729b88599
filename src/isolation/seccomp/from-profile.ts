/**
 * Filters that are compiled now: of a profile, or the default one for capabilities that the build did not foresee.
 */
import { Failure } from "../../failure.ts";
import { arch } from "../../linux/door.ts";
import type { Seccomp } from "../../spec/config.ts";
import { encodeProgram } from "./bpf.ts";
import { compile } from "./compile.ts";
import { defaultProfile } from "./default-profile.ts";
import { DEFAULT_FLAGS, type Filter, FLAG } from "./install.ts";

/** By name in the specification: config-linux.md#seccomp. */
export const FLAGS: Readonly<Record<string, number>> = {
  // For all threads of the process: there is one, and no listener can be had with it (on kernels before 5.7).
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: FLAG.log,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: FLAG.specAllow,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: FLAG.waitKillableReceive,
};

export function defaultFilter(capabilities: readonly string[]): Filter {
  return { program: encodeProgram(compile(defaultProfile(capabilities, arch), arch)), flags: DEFAULT_FLAGS };
}

export function filterFromProfile(profile: Seccomp): Filter {
  const program = encodeProgram(compile(profile, arch));
  return { program, flags: flagsOf(profile) };
}

/**
 * What seccomp(2) is to be called with: the flags named; where the field is missing, those that runc sets. Pure.
 * @throws Failure if the profile's flags or its rules for a listener are malformed
 */
export function flagsOf(profile: Seccomp): number {
  // JSON's null is as good as nothing. An empty list is the wish for no flags.
  const flags = (profile.flags ?? undefined)?.reduce((bits, name) => bits | flagOf(name), 0) ?? DEFAULT_FLAGS;
  // The kernel refuses to be told how to wait for an agent where there is none.
  return notifies(profile) ? flags | FLAG.newListener : flags & ~FLAG.waitKillableReceive;
}

function flagOf(name: string): number {
  const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
  if (flag === undefined) throw new Failure(`seccomp: there is no flag '${name}'`);
  return flag;
}

/** Whether calls are sent to a supervisor. Those that a process needs to tell of its listener cannot be. */
function notifies({ defaultAction, syscalls, listenerPath = "", listenerMetadata = "" }: Seccomp): boolean {
  if (defaultAction === "SCMP_ACT_NOTIFY") throw new Failure("seccomp: SCMP_ACT_NOTIFY cannot be the default action");
  const rules = (syscalls ?? []).filter(({ action }) => action === "SCMP_ACT_NOTIFY");
  if (rules.some(({ names }) => names.includes("write"))) {
    throw new Failure("seccomp: SCMP_ACT_NOTIFY cannot be used for the write syscall");
  }
  if (listenerMetadata !== "" && listenerPath === "") {
    throw new Failure("seccomp: listenerMetadata must not be set without a listenerPath");
  }
  if (rules.length > 0 && listenerPath === "") {
    throw new Failure("seccomp: SCMP_ACT_NOTIFY needs a listenerPath", {
      hint: "name the unix socket of the agent in linux.seccomp.listenerPath",
    });
  }
  return rules.length > 0;
}
