/**
 * OCI config -> the plan of a process: apart from that of a container, as exec needs no more. Pure.
 */
import { Failure } from "../failure.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import type { Spec } from "../spec/config.ts";
import type { ProcessPlan } from "./plan.ts";

/** Of variables that are there twice, only the last: getenv(3) takes the first. */
function withoutEarlier(env: readonly string[]): string[] {
  return [...new Map(env.map((entry) => [entry.split("=", 1)[0], entry])).values()];
}

/** What the program is to be: of the container's first one, and (with changes) of those that exec adds. */
export function planProcess(spec: Spec, init: boolean, seccomp: SeccompChoice): ProcessPlan {
  const { process } = spec;
  if (process === undefined) throw new Failure("config.json: 'process' is missing");
  if (!process.cwd.startsWith("/")) throw new Failure(`working directory '${process.cwd}' is not an absolute path`);
  return {
    args: process.args ?? [],
    env: withoutEarlier(process.env ?? []),
    cwd: process.cwd,
    user: process.user,
    terminal: process.terminal === true,
    init,
    capabilities: process.capabilities ?? {},
    noNewPrivileges: process.noNewPrivileges === true,
    rlimits: process.rlimits ?? [],
    seccomp,
    ...(process.oomScoreAdj === undefined ? {} : { oomScoreAdj: process.oomScoreAdj }),
    ...(process.apparmorProfile === undefined ? {} : { apparmorProfile: process.apparmorProfile }),
    ...(process.selinuxLabel === undefined ? {} : { selinuxLabel: process.selinuxLabel }),
  };
}
