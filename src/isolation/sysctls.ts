/**
 * Which kernel parameters a container of the engine may set: those that belong to a namespace of its own.
 */
import { Failure } from "../failure.ts";
import type { NamespaceType } from "../spec/config.ts";
import { isSysctlName, isSysctlValue, namespaceOfSysctl } from "../spec/sysctls.ts";

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
    if (!isSysctlName(name)) {
      throw new Failure(`'${name}' is no name of a kernel parameter`, { hint: "as in --sysctl net.ipv4.ip_forward=1" });
    }
    if (!isSysctlValue(value)) throw new Failure(`the value of '${name}' is malformed`);
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
