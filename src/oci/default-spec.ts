/**
 * What `spec` writes: a configuration to begin with. All but the names and versions is runc's example, which much
 * documentation and many test suites start from.
 */
import type { Mount, Namespace, NamespaceType, Spec } from "../spec/config.ts";
import { OCI_VERSION_MAX } from "./versions.ts";

const CAPABILITIES: readonly string[] = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

/** [destination, type, source, options]. */
const MOUNTS: readonly (readonly [destination: string, type: string, source: string, options?: string])[] = [
  ["/proc", "proc", "proc"],
  ["/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"],
  ["/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"],
  ["/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k"],
  ["/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"],
  ["/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"],
  ["/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro"],
];

const NAMESPACES: readonly NamespaceType[] = ["pid", "network", "ipc", "uts", "mount"];

const MASKED: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];

const READONLY: readonly string[] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function mountOf([destination, type, source, options]: (typeof MOUNTS)[number]): Mount {
  return { destination, type, source, ...(options === undefined ? {} : { options: options.split(",") }) };
}

/**
 * A shell in a root file system at `rootfs`. Pure.
 * @param unifiedCgroups with cgroups version 2, a container has a namespace of them
 */
export function defaultSpec(unifiedCgroups = false): Spec {
  const namespaces: Namespace[] = NAMESPACES.map((type) => ({ type }));
  if (unifiedCgroups) namespaces.push({ type: "cgroup" });
  return {
    ociVersion: OCI_VERSION_MAX,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: [...CAPABILITIES],
        effective: [...CAPABILITIES],
        permitted: [...CAPABILITIES],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "mycontainer",
    mounts: MOUNTS.map(mountOf),
    linux: {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces,
      maskedPaths: [...MASKED],
      readonlyPaths: [...READONLY],
    },
  };
}

/** Who is not root may mount no sysfs of its own without a network namespace: the host's, then. */
const HOSTS_SYS: Mount = {
  destination: "/sys",
  type: "none",
  source: "/sys",
  options: ["rbind", "nosuid", "noexec", "nodev", "ro"],
};

/**
 * The same for a user who is not root: a user namespace with that one user in it as root, the host's network, no limits,
 * and no mount options that name ids which are not mapped. Pure.
 */
export function rootlessSpec(spec: Spec, user: { readonly uid: number; readonly gid: number }): Spec {
  const { resources: _, namespaces = [], ...linux } = spec.linux ?? {};
  return {
    ...spec,
    mounts: (spec.mounts ?? []).map((mount) => {
      if (mount.destination === HOSTS_SYS.destination) return HOSTS_SYS;
      if (mount.options === undefined) return mount;
      return { ...mount, options: mount.options.filter((option) => !/^[ug]id=/.test(option)) };
    }),
    linux: {
      uidMappings: [{ containerID: 0, hostID: user.uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: user.gid, size: 1 }],
      namespaces: [...namespaces.filter(({ type }) => type !== "network" && type !== "user"), { type: "user" }],
      ...linux,
    },
  };
}
