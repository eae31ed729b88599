/**
 * A container that can have no cgroup of its own, as those of users other than root, stays in that of whoever makes it: then that is what
 * it is shown as its own, as with runc.
 */
import type { CgroupPlan, PlannedDirectory } from "../cgroup/plan.ts";
import type { Plan } from "../plan/plan.ts";

/**
 * Pure.
 * @param membership /proc/self/cgroup (cgroups(7)) of whoever makes the container
 */
export function withoutCgroup(plan: Plan, cgroup: CgroupPlan, membership: string): Plan {
  const shown = new Map(
    cgroup.directories.flatMap((planned) => {
      const path = pathIn(membership, planned, cgroup.layout === "v2" || planned.unified === true);
      const hierarchy = planned.directory.slice(0, planned.directory.length - cgroup.path.length);
      return path === undefined ? [] : [[planned.directory, path === "/" ? hierarchy : hierarchy + path] as const];
    }),
  );
  return {
    ...plan,
    rootSteps: plan.rootSteps.map((step) => {
      const source = step.do === "bind" ? shown.get(step.source) : undefined;
      return step.do === "bind" && source !== undefined ? { ...step, source } : step;
    }),
  };
}

/** Where a process is in the hierarchy of a planned cgroup. */
function pathIn(membership: string, { controllers }: PlannedDirectory, unified: boolean): string | undefined {
  for (const line of membership.split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isIt = unified ? names === "" : controllers.some((controller) => names?.split(",").includes(controller));
    if (isIt) return path;
  }
  return undefined;
}
