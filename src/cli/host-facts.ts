/**
 * What the host has that containers need, for `info` and `version`. Looks only.
 */
import { type CgroupLayout, detectLayout, unifiedOf, v1ControllersOf } from "../cgroup/layout.ts";
import { labelFacts } from "../isolation/labels.ts";
import { arch } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import { O_PATH, openHost, readTextIfThere } from "../linux/hostpath.ts";
import { filesystemOf } from "../linux/mount.ts";
import { processorCount } from "../linux/processors.ts";

/** What file systems are called that state may lie on: include/uapi/linux/magic.h. */
const FILESYSTEMS: Readonly<Record<number, string>> = {
  0xef53: "ext4",
  0x58465342: "xfs",
  0x9123683e: "btrfs",
  0x01021994: "tmpfs",
  0x794c7630: "overlay",
  0x2fc12fc1: "zfs",
  0xf2f52010: "f2fs",
  0xca451a4e: "bcachefs",
  0x6969: "nfs",
};

export interface HostFacts {
  readonly kernel: string;
  /** Of the distribution; "" if it does not say. */
  readonly system: string;
  readonly architecture: string;
  readonly name: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly cgroups: {
    readonly layout: CgroupLayout["kind"];
    readonly v1: readonly string[];
    readonly v2: readonly string[];
  };
  /** Active security modules, as the kernel lists them, or as far as they can be told. */
  readonly modules: readonly string[];
  readonly seccomp: boolean;
  /** How many there may be; 0 where they are off. */
  readonly userNamespaces: number;
  readonly hasOverlay: boolean;
}

function line(path: string): string {
  return (readTextIfThere(path) ?? "").trim();
}

/** A value of /etc/os-release. */
export function releaseField(text: string, name: string): string {
  const value = new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1] ?? "";
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}

function modulesOf(): string[] {
  // securityfs may not be mounted.
  const listed = line("/sys/kernel/security/lsm");
  if (listed !== "") return listed.split(",");
  const { apparmor, selinux } = labelFacts();
  return [...(apparmor ? ["apparmor"] : []), ...(selinux ? ["selinux"] : [])];
}

export function hostFacts(): HostFacts {
  const layout = detectLayout();
  const memory = /^MemTotal: +(\d+) kB$/m.exec(readTextIfThere("/proc/meminfo") ?? "")?.[1];
  return {
    kernel: line("/proc/sys/kernel/osrelease"),
    system: releaseField(readTextIfThere("/etc/os-release") ?? "", "PRETTY_NAME"),
    architecture: arch,
    name: line("/proc/sys/kernel/hostname"),
    processors: processorCount(),
    memoryBytes: Number(memory ?? 0) * 1024,
    cgroups: {
      layout: layout.kind,
      v1: layout.kind === "v2" ? [] : v1ControllersOf(layout),
      v2: unifiedOf(layout)?.available ?? [],
    },
    modules: modulesOf(),
    seccomp: line("/proc/sys/kernel/seccomp/actions_avail") !== "",
    userNamespaces: Number(line("/proc/sys/user/max_user_namespaces")) || 0,
    hasOverlay: /\toverlay$/m.test(readTextIfThere("/proc/filesystems") ?? ""),
  };
}

/** The kind of file system that a path lies on; "" if it is not there. */
export function filesystemName(path: string): string {
  try {
    using place = openHost(path, O_PATH);
    const { magic } = filesystemOf(place.fd);
    return FILESYSTEMS[magic] ?? `0x${magic.toString(16)}`;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}
