/**
 * Programs that have the groups of the runtime's caller, and not those of process.user.
 *
 * Where it is asked for: podman's `--group-add keep-groups` (podman-run(1)) is an annotation, which crun(1) names first. Files of the
 * host that a user reaches by a group only can so be reached without root, where the group has no id in the container. The groups of
 * the host's root are not given away so: podman passes on what annotations an image has, so that it could ask for them itself.
 *
 * Where it can't be otherwise: user namespaces whose maker had only an id of its own to map do not let anybody set groups
 * (user_namespaces(7), /proc/PID/setgroups): those of podman without root are such where /etc/subgid has nothing for the user.
 */
import { Failure } from "../failure.ts";
import { runsInUserNamespace } from "../isolation/idmap.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import type { ProcessPlan } from "../plan/plan.ts";
import type { Spec } from "../spec/config.ts";

const KEEP_ANNOTATION = "run.oci.keep_original_groups";

/** Notes that the program keeps our groups, where it is to or has to. Throws a Failure if it cannot have others that it is to have. */
export function withFixedGroups(process: ProcessPlan, { annotations }: Spec): ProcessPlan {
  const asked = (annotations?.[KEEP_ANNOTATION] ?? "0") !== "0";
  if (!runsInUserNamespace()) {
    if (!asked) return process;
    throw new Failure(`annotation ${KEEP_ANNOTATION}: the groups of the host's root are not kept`, {
      hint: "name the groups that the program is to have, or run the container without root",
    });
  }
  const keeping: ProcessPlan = { ...process, keepsGroups: true };
  if (asked) return keeping;
  if (readTextIfThere("/proc/self/setgroups")?.trim() !== "deny") return process;
  const { additionalGids = [] } = process.user;
  if (additionalGids.length > 0) {
    throw new Failure(
      `process.user.additionalGids: ${additionalGids.join(", ")} cannot be set in this user namespace`,
      {
        hint: "give the user a range of ids in /etc/subuid and /etc/subgid",
      },
    );
  }
  return keeping;
}
