/**
 * The files by which a container's programs find names, in its directory; they are bound into its /etc.
 */
import { readTextIfThere, writeNewFile } from "../linux/hostpath.ts";
import { hostnameFile, hostsFile, isStubOnly, RESOLV_CONF, RESOLVED_CONF, resolvConf } from "../network/files.ts";
import type { Plan } from "../plan/plan.ts";
import type { RunOptions } from "./options.ts";
import type { ContainerPaths } from "./paths.ts";

const MODE = 0o644;

/** The host's resolv.conf; where that names only systemd's stub, the one of the real resolvers. */
function hostResolvConf(): string {
  const text = readTextIfThere(RESOLV_CONF) ?? "";
  return isStubOnly(text) ? (readTextIfThere(RESOLVED_CONF) ?? text) : text;
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
  const hosts = hostsFile({
    ...(hostNetwork ? { base: readTextIfThere("/etc/hosts") ?? "" } : {}),
    addHosts: options.addHosts,
    ...(network.kind === "bridge" ? { gateway: network.network.gateway } : {}),
  });
  writeNewFile(paths.resolvConf, resolv, MODE);
  writeNewFile(paths.hosts, hosts, MODE);
  writeNewFile(paths.hostname, hostnameFile(plan.hostname ?? ""), MODE);
}
