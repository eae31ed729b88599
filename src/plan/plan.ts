/**
 * A plan: all that will be done to make a container, as data. It is made by pure functions, printed by `--dry-run`, and
 * carried out by container/launch.ts (the host's side) and container/init.ts (the container's first process).
 */
import type { CgroupPlan } from "../cgroup/plan.ts";
import type { NamespacePlan } from "../isolation/namespaces.ts";
import type { Overlay } from "../isolation/overlay.ts";
import type { RootPropagation } from "../isolation/plan-root.ts";
import type { RootStep } from "../isolation/root-steps.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import type { NetworkPlan } from "../network/plan.ts";
import type { Capabilities, Hooks, IdMapping, Rlimit, User } from "../spec/config.ts";

export type RootSource =
  | ({ readonly kind: "overlay" } & Overlay)
  /** A directory of the host's, mounted as it is. */
  | { readonly kind: "directory"; readonly path: string };

export interface IdMaps {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

export interface ProcessPlan {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: User;
  readonly terminal: boolean;
  /** Whether our own init is the first process, and reaps what the program leaves behind. */
  readonly init: boolean;
  readonly capabilities: Capabilities;
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly Rlimit[];
  readonly oomScoreAdj?: number;
  readonly seccomp: SeccompChoice;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  /** Where groups cannot be set: it has those of whoever makes it. */
  readonly keepsGroups?: true;
  /** False where the program is to have its caller's session keyring. */
  readonly newKeyring?: boolean;
}

export interface Plan {
  readonly id: string;
  readonly root: RootSource;
  readonly readonlyRoot: boolean;
  readonly rootPropagation: RootPropagation;
  readonly namespaces: NamespacePlan;
  readonly idMaps?: IdMaps;
  readonly cgroup?: CgroupPlan;
  /** The unit of systemd's whose cgroup it is: then systemd makes it, with the first process in it. */
  readonly systemdUnit?: string;
  /** Whether the container may be without it, where this user may not make one. */
  readonly cgroupIsOptional?: boolean;
  readonly network: NetworkPlan;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly rootSteps: readonly RootStep[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly process: ProcessPlan;
  readonly hooks?: Hooks;
  /** Where the root lies on a RAM disk it cannot be pivoted to: it is moved over the old one, and entered by chroot(2). */
  readonly noPivot?: boolean;
}
