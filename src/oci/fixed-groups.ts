/**
 * User namespaces whose maker had only an id of its own to map do not let anybody set groups (user_namespaces(7), /proc/PID/setgroups):
 * those of podman without root are such where /etc/subgid has nothing for the user.
 */
import { Failure } from "../failure.ts";
import { runsInUserNamespace } from "../isolation/idmap.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import type { ProcessPlan } from "../plan/plan.ts";

/** Notes that the program keeps our groups, where it has to. Throws a Failure if it is to have others. */
export function withFixedGroups(process: ProcessPlan): ProcessPlan {
  if (!runsInUserNamespace() || readTextIfThere("/proc/self/setgroups")?.trim() !== "deny") return process;
  const { additionalGids = [] } = process.user;
  if (additionalGids.length > 0) {
    throw new Failure(
      `process.user.additionalGids: ${additionalGids.join(", ")} cannot be set in this user namespace`,
      {
        hint: "give the user a range of ids in /etc/subuid and /etc/subgid",
      },
    );
  }
  return { ...process, keepsGroups: true };
}
