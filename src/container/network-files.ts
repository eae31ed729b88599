/**
 * The files by which a container's programs find names, in its directory; they are bound into its /etc.
 */
import { readTextIfThere, writeNewFile } from "../linux/hostpath.ts";
import {
  hostnameFile,
  hostsFile,
  isStubOnly,
  OWN_LOOPBACK,
  type OwnName,
  RESOLV_CONF,
  RESOLVED_CONF,
  resolvConf,
} from "../network/files.ts";
import type { Plan } from "../plan/plan.ts";
import type { RunOptions } from "./options.ts";
import type { ContainerPaths } from "./paths.ts";

const MODE = 0o644;

/** The host's resolv.conf; where that names only systemd's stub, the one of the real resolvers. */
function hostResolvConf(): string {
  const text = readTextIfThere(RESOLV_CONF) ?? "";
  return isStubOnly(text) ? (readTextIfThere(RESOLVED_CONF) ?? text) : text;
}

/** Known already, unless it is yet to get an address. */
function ownName({ network, hostname, domainname = "" }: Plan): OwnName | undefined {
  if (network.kind === "bridge" || hostname === undefined) return undefined;
  return { address: OWN_LOOPBACK, hostname, domainname };
}

export function writeNetworkFiles(paths: ContainerPaths, options: RunOptions, plan: Plan): void {
  const { network } = plan;
  const hostNetwork = network.kind === "host";
  const resolv = resolvConf({
    host: hostResolvConf(),
    hostNetwork,
    dns: options.dns,
    search: options.dnsSearch,
    options: options.dnsOptions,
  });
  const own = ownName(plan);
  const hosts = hostsFile({
    ...(hostNetwork ? { base: readTextIfThere("/etc/hosts") ?? "" } : {}),
    addHosts: options.addHosts,
    ...(network.kind === "bridge" ? { gateway: network.network.gateway } : {}),
    ...(own === undefined ? {} : { own }),
  });
  writeNewFile(paths.resolvConf, resolv, MODE);
  writeNewFile(paths.hosts, hosts, MODE);
  writeNewFile(paths.hostname, hostnameFile(plan.hostname ?? ""), MODE);
}
