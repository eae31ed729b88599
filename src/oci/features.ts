/**
 * What `features` prints: what this runtime understands, whether or not the host has it (features.md and
 * features-linux.md of the runtime specification).
 */
import { CAPABILITY_NAMES } from "../isolation/capabilities.ts";
import { MOUNT_OPTION_NAMES } from "../isolation/mount-options.ts";
import { ACTION_NAMES } from "../isolation/seccomp/actions.ts";
import { architectureNames } from "../isolation/seccomp/architectures.ts";
import { OPERATORS } from "../isolation/seccomp/conditions.ts";
import { FLAGS } from "../isolation/seccomp/from-profile.ts";
import type { HookKind, NamespaceType } from "../spec/config.ts";
import { OCI_VERSION_MAX, OCI_VERSION_MIN } from "./versions.ts";

/** What differs between builds and hosts. */
export interface FeatureFacts {
  /** Of the program. */
  readonly version: string;
  readonly commit?: string;
  /** Of seccomp's flags, those that the kernel takes too: isolation/seccomp/supported-flags.ts. */
  readonly seccompFlags: readonly string[];
  /** Which parts of the specification that not every runtime has are there. */
  readonly has: {
    readonly systemd: boolean;
    readonly systemdUser: boolean;
    readonly intelRdt: boolean;
    /** Mounts with `uidMappings` of their own. */
    readonly idmap: boolean;
    readonly netDevices: boolean;
    readonly memoryPolicy: boolean;
    /** Hooks are run. */
    readonly hooks: boolean;
  };
  /** Annotations of config.json that change what the runtime does; those that end in `.` stand for all that begin so. */
  readonly unsafeAnnotations?: readonly string[];
}

interface Enabled {
  readonly enabled: boolean;
}

/** The document, of version 1.2 of the specification; the last two of `linux` are of version 1.3. */
export interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks: readonly string[];
  readonly mountOptions: readonly string[];
  readonly linux: {
    readonly namespaces: readonly string[];
    readonly capabilities: readonly string[];
    readonly cgroup: Readonly<Record<"v1" | "v2" | "systemd" | "systemdUser" | "rdma", boolean>>;
    readonly seccomp: Enabled &
      Readonly<Record<"actions" | "operators" | "archs" | "knownFlags" | "supportedFlags", readonly string[]>>;
    readonly apparmor: Enabled;
    readonly selinux: Enabled;
    readonly intelRdt: Enabled;
    readonly mountExtensions: { readonly idmap: Enabled };
    readonly netDevices?: Enabled;
    readonly memoryPolicy?: { readonly modes: readonly string[]; readonly flags: readonly string[] };
  };
  readonly annotations: Readonly<Record<string, string>>;
  readonly potentiallyUnsafeConfigAnnotations?: readonly string[];
}

/** In the order in which they run. */
const HOOKS: readonly HookKind[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];

const NAMESPACES: Readonly<Record<NamespaceType, true>> = {
  cgroup: true,
  ipc: true,
  mount: true,
  network: true,
  pid: true,
  time: true,
  user: true,
  uts: true,
};

/** set_mempolicy(2). */
const MEMORY_POLICY = {
  modes: [
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_INTERLEAVE",
    "MPOL_LOCAL",
    "MPOL_PREFERRED",
    "MPOL_PREFERRED_MANY",
    "MPOL_WEIGHTED_INTERLEAVE",
  ],
  flags: ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"],
} as const;

/** Pure. */
export function features({ version, commit, seccompFlags, has, unsafeAnnotations = [] }: FeatureFacts): Features {
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION_MAX,
    hooks: has.hooks ? HOOKS : [],
    mountOptions: [...new Set(MOUNT_OPTION_NAMES)].sort(),
    linux: {
      namespaces: Object.keys(NAMESPACES).sort(),
      capabilities: CAPABILITY_NAMES,
      cgroup: { v1: true, v2: true, systemd: has.systemd, systemdUser: has.systemdUser, rdma: true },
      seccomp: {
        enabled: true,
        actions: [...ACTION_NAMES].sort(),
        operators: [...OPERATORS].sort(),
        archs: architectureNames().sort(),
        knownFlags: Object.keys(FLAGS).sort(),
        supportedFlags: [...seccompFlags].sort(),
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: has.intelRdt },
      mountExtensions: { idmap: { enabled: has.idmap } },
      ...(has.netDevices ? { netDevices: { enabled: true } } : {}),
      ...(has.memoryPolicy ? { memoryPolicy: MEMORY_POLICY } : {}),
    },
    annotations: { "mycontainer.version": version, ...(commit === undefined ? {} : { "mycontainer.commit": commit }) },
    ...(unsafeAnnotations.length === 0 ? {} : { potentiallyUnsafeConfigAnnotations: unsafeAnnotations }),
  };
}
