/**
 * How a container sees its cgroup, from where it is on the host. Pure.
 */
import type { CgroupPlan } from "../cgroup/plan.ts";
import type { CgroupView } from "../isolation/plan-cgroup-mount.ts";

/** The last part of a path. */
function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** @param isPrivate whether the container has a cgroup namespace of its own */
export function cgroupViewOf(plan: CgroupPlan, isPrivate: boolean): CgroupView {
  if (plan.layout === "v2") {
    const [unified] = plan.directories;
    return isPrivate || unified === undefined
      ? { kind: "v2-private" }
      : { kind: "v2-host", directory: unified.directory };
  }
  // The unified one of a hybrid layout is not among them, as with other runtimes: it is there for who asks for cgroup2.
  const unified = plan.directories.find((one) => one.unified);
  const hierarchies = plan.directories
    .filter((one) => one !== unified)
    .map(({ controllers, directory }) => {
      return { controllers, directory, name: baseName(directory.slice(0, directory.length - plan.path.length)) };
    });
  return {
    kind: "v1",
    isPrivate,
    ...(unified === undefined ? {} : { unified: unified.directory }),
    directories: hierarchies.map(({ name, directory }) => ({ name, source: directory })),
    // Co-mounted controllers have one directory, and names of their own that lead to it.
    links: hierarchies.flatMap(({ controllers, name }) =>
      controllers
        .filter((controller) => controller !== name && !controller.startsWith("name="))
        .map((controller) => ({ name: controller, to: name })),
    ),
  };
}
