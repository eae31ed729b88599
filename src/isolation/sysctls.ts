/**
 * Which kernel parameters a container may set: those that belong to a namespace of its own; all others are the host's.
 * Source: the `net`, `ipc`, `utsname` and `user` tables of the kernel that are registered per namespace.
 */
import { Failure } from "../failure.ts";
import type { NamespaceType } from "../spec/config.ts";

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

function isName(name: string): boolean {
  if (name.length > NAME_LIMIT || !/^[\w./:@+-]+$/.test(name)) return false;
  const parts = name.split(/[./]/);
  return parts.length > 1 && parts.every((part) => part !== "");
}

const FLAG: Partial<Record<NamespaceType, string>> = {
  network: "leave out '--network host'",
  ipc: "leave out '--ipc host'",
  uts: "leave out '--uts host'",
  user: "add '--userns auto'",
};

/**
 * Refuses parameters that are not the container's own.
 * @param own the namespaces that the container does not share with the host
 */
export function checkSysctls(sysctls: Readonly<Record<string, string>>, own: Iterable<NamespaceType>): void {
  const namespaces = new Set(own);
  for (const [name, value] of Object.entries(sysctls)) {
    if (!isName(name)) {
      throw new Failure(`'${name}' is no name of a kernel parameter`, { hint: "as in --sysctl net.ipv4.ip_forward=1" });
    }
    if (value.length > VALUE_LIMIT || /[\0\n]/.test(value)) throw new Failure(`the value of '${name}' is malformed`);
    const namespace = namespaceOfSysctl(name);
    if (namespace === undefined) {
      throw new Failure(`kernel parameter '${name}' belongs to the whole host: a container cannot set it`, {
        hint: `if you want it for all, set it on the host: sysctl -w ${name}=${value}`,
      });
    }
    if (namespaces.has(namespace)) continue;
    throw new Failure(`kernel parameter '${name}' needs a ${namespace} namespace of the container's own`, {
      hint: FLAG[namespace],
    });
  }
}
