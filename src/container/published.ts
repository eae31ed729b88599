/**
 * The ports of a container that are published on the host.
 */
import { listNetworks, portsOf } from "../network/leases.ts";
import type { ReservedPort } from "../network/ports.ts";
import type { StateRoot } from "./paths.ts";

/** By the container's ports, in their order; none while it does not run. */
export function publishedPorts(root: StateRoot, id: string): ReservedPort[] {
  return listNetworks(root.networks)
    .flatMap(({ network }) => portsOf(root.networks, network, id))
    .sort((one, other) => one.containerPort - other.containerPort || (one.protocol < other.protocol ? -1 : 1));
}
