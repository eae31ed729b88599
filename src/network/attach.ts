/**
 * Gives a container its network, and takes it away again.
 *
 * Both run in the host's network namespace. What has to be done in the container's is asked for through a socket that is
 * opened there; this process is in that namespace for the moment of opening it, and for nothing else.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { O_RDONLY, openHost, removeTree } from "../linux/hostpath.ts";
import { CLONE, setns } from "../linux/process.ts";
import { NETLINK } from "../linux/socket.ts";
import { formatAddress, parseAddress } from "./address.ts";
import {
  enableForwarding,
  ensureBridge,
  ensureFilter,
  filteredNetwork,
  forwardingsOf,
  hasNoIpv6,
  openFilter,
  routeLoopbackTo,
  subnetOfRecord,
} from "./host.ts";
import {
  containersOf,
  holdingOf,
  leaseAddress,
  listNetworks,
  lockNetworks,
  type NetworkRecord,
  notePorts,
  portsOf,
  readNetwork,
  releaseAddress,
} from "./leases.ts";
import { Batch } from "./netlink.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { removeNetwork, removePorts } from "./nftables.ts";
import { type BridgePlan, linkSuffix, macOf, parseMac } from "./plan.ts";
import type { ReservedPort } from "./ports.ts";
import {
  addAddress,
  addRoute,
  addVeth,
  findLink,
  LOOPBACK_INDEX,
  type NetnsRef,
  removeLink,
  setAlias,
  setDown,
  setHairpin,
  setNeighbour,
  setUp,
  withoutIpv6Address,
} from "./rtnetlink.ts";

const ENODEV = 19;

export interface Attached {
  /** The container's address, without the prefix. */
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
  readonly hostLink: string;
  readonly peerLink: string;
}

/** Opens a netlink socket in another network namespace. */
export function openNetlinkIn(netns: NetnsRef): NetlinkSocket {
  using theirs = "fd" in netns ? undefined : openHost(`/proc/${netns.pid}/ns/net`, O_RDONLY);
  using ours = openHost("/proc/thread-self/ns/net", O_RDONLY);
  setns(theirs?.fd ?? ("fd" in netns ? netns.fd : -1), CLONE.newNet);
  try {
    return new NetlinkSocket(NETLINK.route);
  } finally {
    setns(ours.fd, CLONE.newNet);
  }
}

/** Makes the veth pair; what a former container of the same id has left is removed first. */
function makePair(
  socket: NetlinkSocket,
  plan: BridgePlan,
  netns: NetnsRef,
  { bridge, address, mac }: { readonly bridge: number; readonly address: Uint8Array; readonly mac: Uint8Array },
): void {
  const batch = new Batch();
  addVeth(batch, {
    name: plan.hostLink,
    master: bridge,
    mtu: plan.mtuBytes,
    peer: { name: plan.peerLink, netns, mac },
  });
  setAlias(batch, plan.hostLink, plan.container);
  if (plan.ports.length > 0) setHairpin(batch, plan.hostLink);
  // The address may have been another's a moment ago: what the host has heard of that one, or is still asking for in vain, would
  // make the first connections wait, or fail ("no route to host").
  setNeighbour(batch, bridge, address, mac);
  try {
    socket.apply(batch);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    const owner = findLink(socket, plan.hostLink)?.alias;
    if (owner !== undefined && owner !== "" && owner !== plan.container) {
      throw new Failure(`the link ${plan.hostLink} belongs to the container ${owner}`, {
        hint: "start the container under another name",
        cause: error,
      });
    }
    removeLink(socket, plan.hostLink);
    socket.apply(batch);
  }
}

/** The container's side: loopback, and its link with name, address and default route. */
function setUpInside(plan: BridgePlan, netns: NetnsRef, address: Uint8Array): void {
  using socket = openNetlinkIn(netns);
  const first = new Batch();
  setUp(first, LOOPBACK_INDEX);
  withoutIpv6Address(first, plan.peerLink);
  const link = findLink(socket, plan.peerLink, first, (number, errno) => number === 1 && hasNoIpv6(errno));
  if (link === undefined) throw new Failure(`the link ${plan.peerLink} has gone from the container`);
  const second = new Batch();
  addAddress(second, link.index, address, subnetOfRecord(plan.network).prefix);
  setUp(second, link.index, plan.name);
  const gateway = parseAddress(plan.network.gateway);
  if (gateway !== undefined) addRoute(second, { gateway, index: link.index });
  socket.apply(second);
}

/** Takes a link out of the bridge's traffic. That it has gone already is fine. */
function silenceLink(socket: NetlinkSocket, name: string): void {
  const batch = new Batch();
  setDown(batch, name);
  socket.apply(batch, (_, errno) => errno === ENODEV);
}

/**
 * Attaches a container to its network.
 * @param plan as planned, with host ports that are reserved by now (`reservePorts`)
 * @param netns the container's network namespace
 * @param root where networks and leases are kept
 * @throws Failure, KernelError; then nothing of it is left
 */
export function attachNetwork(
  plan: BridgePlan,
  netns: NetnsRef,
  root: string,
  ports: readonly ReservedPort[] = [],
): Attached {
  const { network: record, container } = plan;
  try {
    using socket = new NetlinkSocket(NETLINK.route);
    const { address, bridge } = join(socket, plan, root, ports);
    const mac = plan.mac === undefined ? undefined : parseMac(plan.mac);
    makePair(socket, plan, netns, { bridge, address, mac: mac ?? macOf(address) });
    setUpInside(plan, netns, address);
    return {
      address: formatAddress(address),
      prefix: subnetOfRecord(record).prefix,
      gateway: record.gateway,
      hostLink: plan.hostLink,
      peerLink: plan.peerLink,
    };
  } catch (error) {
    try {
      detachNetwork({ container, root, link: "now" });
    } catch {
      // The first error is the one to tell; what is left of the network goes with the next command's cleaning.
    }
    throw error;
  }
}

/** What is done once for the network, and the lease: under the lock. */
function join(
  socket: NetlinkSocket,
  plan: BridgePlan,
  root: string,
  ports: readonly ReservedPort[],
): { address: Uint8Array; bridge: number } {
  const { network: record, container } = plan;
  using _lock = lockNetworks(root);
  replaceIfChanged(root, record);
  const wanted = plan.address === undefined ? undefined : parseAddress(plan.address);
  const address = leaseAddress(root, record, container, wanted);
  const bridge = ensureBridge(socket, record, plan.mtuBytes);
  enableForwarding();
  if (ports.length > 0) {
    notePorts(root, record.network, container, ports);
    routeLoopbackTo(record.bridge);
  }
  ensureFilter(root, record, forwardingsOf(ports, address));
  return { address, bridge };
}

export interface Detachment {
  readonly container: string;
  readonly root: string;
  /**
   * The veth pair goes with the container's network namespace, some milliseconds after its last process, and on a busy machine later:
   * "kernel" leaves it to that, and only sets it down (0.2 ms), for the namespace would still answer, by an address that may be
   * another container's next. "now" deletes it and waits until it is gone (10 to 30 ms): for what a crash has left, and for
   * namespaces that live on.
   */
  readonly link: "kernel" | "now";
}

/**
 * Takes away a container's network: links, published ports, the lease. What is not there any more is fine. The network itself
 * stays for the next container (`removeIdleNetworks`): taking it away and making it again costs more than the container.
 */
export function detachNetwork({ container, root, link }: Detachment): void {
  {
    using socket = new NetlinkSocket(NETLINK.route);
    const name = `veth0-${linkSuffix(container)}`;
    const alias = findLink(socket, name)?.alias;
    if (alias === container || alias === "") {
      if (link === "now") removeLink(socket, name);
      else silenceLink(socket, name);
    }
  }
  using _lock = lockNetworks(root);
  for (const record of listNetworks(root)) {
    const ports = portsOf(root, record.network, container);
    const address = ports.length === 0 ? undefined : holdingOf(root, record.network, container);
    if (address !== undefined) {
      using socket = openFilter();
      removePorts(socket, forwardingsOf(ports, address));
    }
    releaseAddress(root, record, container);
  }
}

/** Detaches every container that is in a network and not alive: for the cleaning after crashes. Returns who that was. */
export function detachGone(root: string, isAlive: (container: string) => boolean): string[] {
  const holders = new Set<string>();
  {
    using _lock = lockNetworks(root);
    for (const { network } of listNetworks(root)) {
      for (const container of containersOf(root, network)) holders.add(container);
    }
  }
  const gone = [...holders].filter((container) => !isAlive(container));
  for (const container of gone) detachNetwork({ container, root, link: "now" });
  return gone;
}

/** Deletes a network's bridge and takes it out of the packet filter. Returns false if there was no bridge. */
function removeFromHost(record: NetworkRecord): boolean {
  using filter = openFilter();
  removeNetwork(filter, filteredNetwork(record));
  using links = new NetlinkSocket(NETLINK.route);
  return findLink(links, record.bridge)?.kind === "bridge" && removeLink(links, record.bridge);
}

/**
 * Deletes the bridges of networks that have no containers and takes them out of the packet filter, and with the last one our
 * table: some 50 ms a network. Returns the bridges.
 */
export function removeIdleNetworks(root: string): string[] {
  using _lock = lockNetworks(root);
  return listNetworks(root)
    .filter((record) => containersOf(root, record.network).length === 0 && removeFromHost(record))
    .map((record) => record.bridge);
}

/** Gives way to a network whose configuration has changed since it was made, if nobody uses it. */
function replaceIfChanged(root: string, record: NetworkRecord): void {
  const known = readNetwork(root, record.network);
  if (known === undefined) return;
  const { bridge, subnet, gateway } = known;
  if (bridge === record.bridge && subnet === record.subnet && gateway === record.gateway) return;
  const users = containersOf(root, record.network);
  if (users.length > 0) {
    throw new Failure(
      `the network ${record.network} has been configured anew while containers use it as it was (${subnet})`,
      {
        hint: `stop them first: ${users.slice(0, 5).join(", ")}${users.length > 5 ? " and others" : ""}`,
      },
    );
  }
  removeFromHost(known);
  removeTree(`${root}/${record.network}`);
}

/** What a container has received and sent so far, in bytes; undefined if its link is not there. */
export function readTraffic(hostLink: string): { rxBytes: number; txBytes: number } | undefined {
  using socket = new NetlinkSocket(NETLINK.route);
  const link = findLink(socket, hostLink);
  // What the host's end has sent, the container has received.
  return link === undefined ? undefined : { rxBytes: link.txBytes, txBytes: link.rxBytes };
}
