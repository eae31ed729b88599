/**
 * Kernel parameters (`linux.sysctl`), and the namespaces that they belong to; all others are the host's.
 * Source: the `net`, `ipc`, `utsname` and `user` tables of the kernel that are registered per namespace.
 */
import type { NamespaceType } from "./config.ts";

const IPC_PARAMETERS: readonly string[] = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shm_rmid_forced",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
];

/** More than any parameter's name or value has. */
const NAME_LIMIT = 256;
const VALUE_LIMIT = 4096;

/** The namespace that a parameter (`net.ipv4.ip_forward`, also with slashes) belongs to; undefined: the whole host. */
export function namespaceOfSysctl(name: string): NamespaceType | undefined {
  const dotted = dottedName(name);
  if (dotted.startsWith("net.")) return "network";
  if (IPC_PARAMETERS.includes(dotted) || dotted.startsWith("fs.mqueue.")) return "ipc";
  if (dotted === "kernel.domainname" || dotted === "kernel.hostname") return "uts";
  if (dotted.startsWith("user.")) return "user";
  return undefined;
}

/** As sysctl(8): the first separator that occurs tells which one is meant; then dots inside slashes are part of a name. */
function dottedName(name: string): string {
  const separator = name.search(/[./]/);
  return name.charAt(separator) === "/" ? name.replaceAll("/", ".") : name;
}

export function isSysctlName(name: string): boolean {
  if (name.length > NAME_LIMIT || !/^[\w./:@+-]+$/.test(name)) return false;
  const parts = name.split(/[./]/);
  return parts.length > 1 && parts.every((part) => part !== "");
}

export function isSysctlValue(value: string): boolean {
  return value.length <= VALUE_LIMIT && !/[\0\n]/.test(value);
}
