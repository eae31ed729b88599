/**
 * Which kernel parameters a container may set: those that belong to a namespace of its own; all others are the machine's.
 */
import { Failure } from "../failure.ts";
import type { NamespaceType } from "../spec/config.ts";

/** Of ipc_namespaces(7): System V and POSIX message queues. */
const OF_IPC: readonly string[] = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

/**
 * Refuses parameters (`net.ipv4.ip_forward`, or with slashes: sysctl(8)) that would change the host.
 * @param own the namespaces of the container that are not the host's
 */
export function checkSysctls(sysctls: Readonly<Record<string, string>>, own: readonly NamespaceType[]): void {
  for (const name of Object.keys(sysctls)) checkSysctl(name, own);
}

function checkSysctl(name: string, own: readonly NamespaceType[]): void {
  const parts = name.split(name.includes("/") ? "/" : ".");
  // A ".." would lead out of the part of the tree that the name is judged by.
  const isPath = parts.length > 1 && parts.every((part) => part !== "" && part !== "." && part !== "..");
  if (!isPath || name.includes("\0")) throw new Failure(`sysctl '${name}' is not the name of a kernel parameter`);
  const type = namespaceOf(parts);
  if (type === undefined) {
    throw new Failure(`sysctl '${name}' is not of a namespace: it would change the host`, {
      hint: "set it on the host with sysctl(8)",
    });
  }
  if (!own.includes(type)) {
    throw new Failure(`sysctl '${name}' would change the host: the container has no ${type} namespace of its own`, {
      hint: `leave out the flag that shares the host's ${type} namespace`,
    });
  }
}

function namespaceOf(parts: readonly string[]): NamespaceType | undefined {
  const [first, second] = parts;
  if (first === "net") return "network";
  if (first === "fs" && second === "mqueue" && parts.length > 2) return "ipc";
  const dotted = parts.join(".");
  if (OF_IPC.includes(dotted)) return "ipc";
  if (dotted === "kernel.hostname") {
    throw new Failure("sysctl 'kernel.hostname' is set by the container's own hostname", { hint: "use --hostname" });
  }
  return dotted === "kernel.domainname" ? "uts" : undefined;
}
