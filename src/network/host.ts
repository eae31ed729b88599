/**
 * The host's side of a network: its bridge, forwarding between links, and our table in the packet filter.
 * All of it is made with the first container and shared by the others; the lock on the networks must be held.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { readTextIfThere, writeKernelFile } from "../linux/hostpath.ts";
import { NETLINK } from "../linux/socket.ts";
import { formatSubnet, overlaps, parseAddress, parseSubnet, type Subnet } from "./address.ts";
import { addressOf, listNetworks, type NetworkRecord, portsOf, publishersOf } from "./leases.ts";
import { Batch } from "./netlink.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { addToTable, type FilteredNetwork, type Forwarding, findRules, knowsNetwork, writeTable } from "./nftables.ts";
import { macOf } from "./plan.ts";
import type { ReservedPort } from "./ports.ts";
import {
  addAddress,
  addBridge,
  findLink,
  type Link,
  listRoutes,
  type Route,
  setUp,
  withoutIpv6Address,
} from "./rtnetlink.ts";

const [EEXIST, EAFNOSUPPORT, EOPNOTSUPP] = [17, 97, 95];

/** Refusals of `withoutIpv6Address` that mean that there is no IPv6 to be kept off. */
export const hasNoIpv6 = (errno: number): boolean => errno === EAFNOSUPPORT || errno === EOPNOTSUPP;

/** The subnet of a network that has been checked when it was planned. */
export function subnetOfRecord(record: NetworkRecord): Subnet {
  const subnet = parseSubnet(record.subnet);
  if (subnet === undefined) throw new Error(`network ${record.network}: malformed subnet`);
  return subnet;
}

function gatewayOf(record: NetworkRecord): Uint8Array {
  const gateway = parseAddress(record.gateway);
  if (gateway === undefined) throw new Error(`network ${record.network}: malformed gateway`);
  return gateway;
}

/** The route that leads parts of a subnet elsewhere than to the link `own`. Pure. */
export function conflictingRoute(subnet: Subnet, routes: readonly Route[], own = 0): Route | undefined {
  return routes.find((route) => route.index !== own && overlaps(route.to, subnet));
}

const IP_FORWARD = "/proc/sys/net/ipv4/ip_forward";

/** Has the kernel forward between links. Nobody switches it off again: others may have come to rely on it. */
export function enableForwarding(): void {
  if (readTextIfThere(IP_FORWARD)?.trim() === "1") return;
  try {
    writeKernelFile(IP_FORWARD, "1\n");
  } catch (error) {
    throw new Failure("IP forwarding is off on this host and cannot be switched on", {
      hint: `set net.ipv4.ip_forward = 1, or run with --network none or host`,
      cause: error,
    });
  }
}

/** Lets what the host sends from loopback out to a bridge. The packet filter keeps others from using it. */
export function routeLoopbackTo(bridge: string): void {
  writeKernelFile(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, "1\n");
}

/** Makes what is missing of a network's bridge. Two processes that do it at the same time do no harm. */
function makeBridge(socket: NetlinkSocket, record: NetworkRecord, mtuBytes: number, found: Link | undefined): Link {
  const { bridge } = record;
  const subnet = subnetOfRecord(record);
  const gateway = gatewayOf(record);
  const conflict = conflictingRoute(subnet, listRoutes(socket), found?.index);
  if (conflict !== undefined) {
    throw new Failure(
      `the subnet ${record.subnet} of the network ${record.network} is in use on this host: there is a route to ${formatSubnet(conflict.to)} by another link`,
      { hint: "give the network another subnet in config.toml, or run with --network none or host" },
    );
  }
  let link = found;
  if (link === undefined) {
    const create = new Batch();
    addBridge(create, bridge, { mac: macOf(gateway), mtu: mtuBytes });
    withoutIpv6Address(create, bridge);
    link = findLink(
      socket,
      bridge,
      create,
      (number, errno) => (number === 0 && errno === EEXIST) || (number === 1 && hasNoIpv6(errno)),
    );
    if (link === undefined) throw new Failure(`the bridge ${bridge} was deleted while it was being made`);
  }
  const finish = new Batch();
  addAddress(finish, link.index, gateway, subnet.prefix);
  // Up comes last: a bridge that is up is complete.
  setUp(finish, link.index);
  socket.apply(finish, (number, errno) => number === 0 && errno === EEXIST);
  return link;
}

/** The index of a network's bridge, which is made if it is not there or was not finished. */
export function ensureBridge(socket: NetlinkSocket, record: NetworkRecord, mtuBytes: number): number {
  const found = findLink(socket, record.bridge);
  if (found !== undefined && found.kind !== "bridge") {
    throw new Failure(`the link ${record.bridge} is there already and is no bridge`, {
      hint: "delete it, or give the network another bridge in config.toml",
    });
  }
  if (found?.up === true) return found.index;
  try {
    return makeBridge(socket, record, mtuBytes, found).index;
  } catch (error) {
    if (isErrno(error, "EOPNOTSUPP")) {
      throw new Failure("this kernel cannot make bridges", {
        hint: "load its module (modprobe bridge), or run with --network none or host",
        cause: error,
      });
    }
    throw error;
  }
}

/** Ports as the packet filter has them. */
export function forwardingsOf(ports: readonly ReservedPort[], address: Uint8Array): Forwarding[] {
  return ports.map((port) => ({
    hostAddress: parseAddress(port.hostAddress) ?? new Uint8Array(4),
    hostPort: port.hostPort,
    protocol: port.protocol,
    address,
    port: port.containerPort,
  }));
}

export const filteredNetwork = (record: NetworkRecord): FilteredNetwork => ({
  bridge: record.bridge,
  subnet: subnetOfRecord(record),
});

/** Writes the whole table from what the files say: with the first container, and after somebody has flushed it. */
function rewriteTable(socket: NetlinkSocket, root: string, replace: boolean): void {
  const networks = listNetworks(root);
  const ports = networks.flatMap(({ network }) =>
    publishersOf(root, network).flatMap((container) => {
      const address = addressOf(root, network, container);
      return address === undefined ? [] : forwardingsOf(portsOf(root, network, container), address);
    }),
  );
  const batch = new Batch();
  writeTable(batch, networks.map(filteredNetwork), ports, replace);
  try {
    socket.apply(batch);
  } catch (error) {
    if (replace || !isErrno(error, "EEXIST")) throw error;
    rewriteTable(socket, root, true);
  }
}

/** A netlink socket to the packet filter. Throws a Failure where the kernel has none. */
export function openFilter(): NetlinkSocket {
  try {
    return new NetlinkSocket(NETLINK.netfilter);
  } catch (error) {
    throw filterFailure(error);
  }
}

function filterFailure(error: unknown): unknown {
  if (isErrno(error, "EPROTONOSUPPORT", "EAFNOSUPPORT", "EOPNOTSUPP", "EINVAL", "ENOENT")) {
    return new Failure("this kernel lacks parts of nf_tables, which the network of containers needs", {
      hint: "load its modules (modprobe -a nf_tables nft_chain_nat nft_masq nft_nat nft_ct nft_fib_inet), or run with --network none or host",
      cause: error,
    });
  }
  return error;
}

/**
 * Makes sure that the packet filter has our rules, and knows a network and these ports. The ports must be on file already.
 */
export function ensureFilter(root: string, record: NetworkRecord, ports: readonly Forwarding[]): void {
  using socket = openFilter();
  try {
    const found = findRules(socket);
    if (found !== "all") {
      rewriteTable(socket, root, found === "some");
      return;
    }
    const network = filteredNetwork(record);
    const isKnown = knowsNetwork(socket, network);
    if (isKnown && ports.length === 0) return;
    try {
      addToTable(socket, isKnown ? undefined : network, ports);
    } catch (error) {
      // Somebody removed sets, or a container that is gone has left a port behind.
      if (!isErrno(error, "ENOENT", "EEXIST", "EBUSY")) throw error;
      rewriteTable(socket, root, true);
    }
  } catch (error) {
    throw filterFailure(error);
  }
}
