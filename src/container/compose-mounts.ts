/**
 * The mounts of a container: docker's, a /tmp that cannot use up the memory limit, and those that were asked for.
 */
import type { Mount } from "../spec/config.ts";
import type { ComposeContext } from "./compose-context.ts";
import { memoryLimitBytes } from "./compose-resources.ts";
import type { MountRequest, RunOptions } from "./options.ts";

/**
 * The part of the memory limit that /tmp may take. What is written to a tmpfs counts as the container's memory; the other half is
 * for the programs that write it, so that a full /tmp is ENOSPC, and the limit kills nobody for it.
 */
const TMP_SHARE_OF_MEMORY = 0.5;
const PAGE_BYTES = 4096;
/** What is mounted below a directory that is read-only is so, too: as docker since 25. */
const READONLY = ["ro", "rro"];

/** Targets whose mounts others lie on come first. */
export function composeMounts(options: RunOptions, context: ComposeContext): Mount[] {
  const asked = [...options.mounts.map((mount) => composeMount(mount, context)), ...imageVolumes(options, context)];
  const taken = new Set(asked.map((mount) => mount.destination));
  const own = [...systemMounts(options, context), ...networkFiles(context)].filter(
    ({ destination }) => !taken.has(destination),
  );
  // Those of the user may lie above or below each other: the shorter path first, else in their order.
  return [...own, ...asked.sort((one, other) => depth(one.destination) - depth(other.destination))];
}

function depth(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}

function systemMounts(options: RunOptions, context: ComposeContext): Mount[] {
  const access = options.privileged ? "rw" : "ro";
  const shmBytes = options.shmSizeBytes ?? context.defaults.shmSizeBytes;
  const shmSize = shmBytes === 0 ? [] : [`size=${shmBytes}`];
  const noexec = ["nosuid", "noexec", "nodev"];
  const sharesIpc = options.ipc.kind !== "private";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: noexec },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    sharesIpc
      ? {
          destination: "/dev/shm",
          type: "bind",
          source: sharedMemory(context),
          options: ["rbind", ...noexec],
        }
      : { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...noexec, "mode=1777", ...shmSize] },
    // It shows the queues of the IPC namespace that it is mounted in. A user namespace may mount that only of a namespace of its own.
    sharesIpc && options.userns
      ? { destination: "/dev/mqueue", type: "bind", source: "/dev/mqueue", options: ["rbind", ...noexec] }
      : { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: noexec },
    ownsSysfs(options)
      ? { destination: "/sys", type: "sysfs", source: "sysfs", options: [...noexec, access] }
      : {
          destination: "/sys",
          type: "bind",
          source: "/sys",
          options: ["rbind", ...noexec, access === "ro" ? "rro" : "rw"],
        },
    ...(ownsSysfs(options)
      ? [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...noexec, access] }]
      : []),
    ...(options.keepsTmp === true ? [] : [tmpMount(options, context)]),
  ];
}

/** A user namespace may mount a sysfs only of a network namespace that belongs to it (sysfs(5)). */
function ownsSysfs(options: RunOptions): boolean {
  return !options.userns || options.network.kind === "bridge" || options.network.kind === "none";
}

/** Of the host, or of the container whose IPC namespace is shared. */
function sharedMemory(context: ComposeContext): string {
  const namespace = context.joined.ipc;
  return namespace === undefined ? "/dev/shm" : namespace.replace(/\/ns\/ipc$/, "/root/dev/shm");
}

function tmpMount(options: RunOptions, context: ComposeContext): Mount {
  const limit = memoryLimitBytes(options, context.defaults);
  const bytes = limit === undefined ? 0 : Math.floor((limit * TMP_SHARE_OF_MEMORY) / PAGE_BYTES) * PAGE_BYTES;
  const size = bytes === 0 ? [] : [`size=${bytes}`];
  return { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777", ...size] };
}

function networkFiles(context: ComposeContext): Mount[] {
  const { networkFiles: paths } = context;
  const bind = (destination: string, source: string): Mount => {
    return { destination, type: "bind", source, options: ["bind", "rprivate"] };
  };
  return [
    bind("/etc/resolv.conf", paths.resolvConf),
    bind("/etc/hosts", paths.hosts),
    bind("/etc/hostname", paths.hostname),
  ];
}

function composeMount(mount: MountRequest, context: ComposeContext): Mount {
  switch (mount.kind) {
    case "bind":
      return {
        destination: mount.target,
        type: "bind",
        source: mount.source,
        options: [mount.recursive ? "rbind" : "bind", mount.propagation, ...(mount.readonly ? READONLY : [])],
      };
    case "volume":
      return {
        destination: mount.target,
        type: "bind",
        source: context.volumes[mount.target] ?? "",
        options: ["rbind", "rprivate", ...(mount.readonly ? READONLY : [])],
      };
    case "tmpfs":
      return {
        destination: mount.target,
        type: "tmpfs",
        source: "tmpfs",
        options: mount.options.length > 0 ? [...mount.options] : ["nosuid", "nodev", "noexec", "mode=1777"],
      };
  }
}

/** Volumes that the image asks for, and nobody has mounted something on. */
function imageVolumes(options: RunOptions, context: ComposeContext): Mount[] {
  const taken = new Set(options.mounts.map((mount) => mount.target));
  return Object.keys(context.image.Volumes ?? {})
    .filter((target) => !taken.has(target))
    .map((target) => {
      return {
        destination: target,
        type: "bind",
        source: context.volumes[target] ?? "",
        options: ["rbind", "rprivate"],
      };
    });
}
