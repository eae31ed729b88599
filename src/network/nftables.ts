/**
 * Our table in the packet filter, `inet mycontainer`: who may reach containers, and how addresses are translated.
 *
 * The rules are the same whatever runs: they look things up in sets. A network is three elements, a published port is one,
 * so that starting a container is the same work however many there are. `nft list table inet mycontainer` shows it all.
 *
 * What other tables drop stays dropped: a verdict of ours cannot override theirs (a host whose own forward chain drops by
 * default needs a rule there that accepts what comes from and goes to the bridge).
 */
import { isErrno } from "../linux/error.ts";
import { type Address, addressAt, isUnspecified, type Subnet, sizeOf } from "./address.ts";
import { Batch, listAttributes, parseAttributes, textOf } from "./netlink.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";
import {
  addElements,
  askForElement,
  askForElements,
  askForRules,
  type BaseChain,
  compare,
  connection,
  deleteElements,
  deleteTable,
  type Element,
  type Expression,
  linkName,
  lookup,
  masquerade,
  meta,
  NFPROTO_IPV4,
  newChain,
  newRule,
  newSet,
  newTable,
  payload,
  REG,
  type SetDeclaration,
  sendToRegisters,
  toThisMachine,
  transaction,
  verdict,
} from "./nft-message.ts";

export const TABLE = "mycontainer";

const SETS: readonly SetDeclaration[] = [
  { name: "bridges", key: ["ifname"] },
  { name: "within", key: ["ifname", "ifname"] },
  { name: "subnets", key: ["ipv4_addr"], interval: true },
  { name: "published", key: ["inet_proto", "inet_service"], data: ["ipv4_addr", "inet_service"] },
  { name: "published-at", key: ["ipv4_addr", "inet_proto", "inet_service"], data: ["ipv4_addr", "inet_service"] },
];

const CHAINS: readonly BaseChain[] = [
  { name: "early", type: "filter", hook: "prerouting", priority: -300 },
  { name: "inbound", type: "nat", hook: "prerouting", priority: -100 },
  { name: "local", type: "nat", hook: "output", priority: -100 },
  { name: "outbound", type: "nat", hook: "postrouting", priority: 100 },
  { name: "forward", type: "filter", hook: "forward", priority: 0 },
];

// include/uapi/linux/netfilter/nf_conntrack_common.h; states as nft_ct counts them.
const CT_ESTABLISHED_RELATED = 0x6;
const IPS_DST_NAT = 0x20;

type Rule = readonly [chain: string, ...expressions: Expression[]];

/** The rules in their order. A function, so that only those who need them pay for them. */
function rules(): readonly Rule[] {
  const ipv4 = [meta("nfproto"), compare("is", new Uint8Array([NFPROTO_IPV4]))];
  const loopback = compare("is", new Uint8Array([127]));
  const fromLoopback = [...ipv4, payload("ipv4SourceFirstByte"), loopback];
  const toLoopback = [...ipv4, payload("ipv4DestinationFirstByte"), loopback];
  const fromBridge = [meta("iifname"), lookup("bridges")];
  const toBridge = [meta("oifname"), lookup("bridges")];
  const notToBridge = [meta("oifname"), lookup("bridges", "not")];
  const fromContainers = [...ipv4, payload("ipv4Source"), lookup("subnets")];
  const translated = connection("status", IPS_DST_NAT);
  const toPublished = [
    ...toThisMachine,
    ...ipv4,
    meta("l4proto"),
    payload("destinationPort", REG.second),
    lookup("published", "data"),
    sendToRegisters,
  ];
  const toPublishedAt = [
    ...toThisMachine,
    ...ipv4,
    payload("ipv4Destination"),
    meta("l4proto", REG.second),
    payload("destinationPort", REG.third),
    lookup("published-at", "data"),
    sendToRegisters,
  ];
  return [
    // The bridges have route_localnet for the sake of ports published on loopback. Nobody on them may use it.
    ["early", ...fromBridge, ...toLoopback, verdict("drop")],
    ["early", ...fromBridge, ...fromLoopback, verdict("drop")],
    // What comes from outside never is for loopback; ports published there are this machine's own ("local" below).
    ["inbound", ...toLoopback, verdict("return")],
    ["inbound", ...toPublishedAt],
    ["inbound", ...toPublished],
    ["local", ...toPublishedAt],
    ["local", ...toPublished],
    ["outbound", ...notToBridge, ...fromContainers, masquerade],
    // A container that reaches its own network by a published port: the answer has to come back this way.
    ["outbound", ...toBridge, ...translated, ...fromContainers, masquerade],
    ["outbound", ...toBridge, ...fromLoopback, masquerade],
    // Into a container goes what belongs to its own connections, published ports, and its neighbours; nothing else.
    ["forward", ...notToBridge, verdict("accept")],
    ["forward", ...connection("state", CT_ESTABLISHED_RELATED), verdict("accept")],
    ["forward", ...translated, verdict("accept")],
    ["forward", meta("iifname"), meta("oifname", REG.nextWhole), lookup("within"), verdict("accept")],
    ["forward", verdict("drop")],
  ];
}

const RULE_COUNT = 15;

/** A network as the filter knows it. */
export interface FilteredNetwork {
  readonly bridge: string;
  readonly subnet: Subnet;
}

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
export type Protocol = keyof typeof PROTOCOLS;

/** A port of the host that leads to a container. */
export interface Forwarding {
  /** Address of the host; all of them if it is unspecified (0.0.0.0). */
  readonly hostAddress: Address;
  readonly hostPort: number;
  readonly protocol: Protocol;
  readonly address: Address;
  readonly port: number;
}

/** Fields of a concatenation, each filled up to whole registers. */
function fields(...parts: Uint8Array[]): Uint8Array {
  const size = (part: Uint8Array) => (part.length + 3) & ~3;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + size(part), 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += size(part);
  }
  return whole;
}

const bigEndian16 = (value: number) => new Uint8Array([value >> 8, value & 0xff]);

/** The element of one published port, and the map that it belongs in. */
export function forwardingElement(forwarding: Forwarding): { set: "published" | "published-at"; element: Element } {
  const protocol = new Uint8Array([PROTOCOLS[forwarding.protocol]]);
  const port = bigEndian16(forwarding.hostPort);
  const data = fields(forwarding.address, bigEndian16(forwarding.port));
  return isUnspecified(forwarding.hostAddress)
    ? { set: "published", element: { key: fields(protocol, port), data } }
    : { set: "published-at", element: { key: fields(forwarding.hostAddress, protocol, port), data } };
}

type ChangeElements = typeof addElements;

function changeNetwork(change: ChangeElements, batch: Batch, network: FilteredNetwork): void {
  const { bridge, subnet } = network;
  const name = linkName(bridge);
  change(batch, TABLE, "bridges", [{ key: name }]);
  change(batch, TABLE, "within", [{ key: fields(name, name) }]);
  change(batch, TABLE, "subnets", [
    { key: subnet.base },
    { key: addressAt(subnet, sizeOf(subnet)), endsInterval: true },
  ]);
}

function changePorts(change: ChangeElements, batch: Batch, forwardings: readonly Forwarding[]): void {
  for (const set of ["published", "published-at"] as const) {
    const elements = forwardings.map(forwardingElement).filter((one) => one.set === set);
    const list = elements.map((one) => one.element);
    if (list.length > 0) change(batch, TABLE, set, list);
  }
}

/**
 * Makes the table with these networks and published ports.
 * @param replace whether one may be there, which goes in the same step. Without it the kernel refuses with EEXIST if so. Where
 * something was deleted, closing the socket waits until the kernel has freed it: some 8 ms.
 */
export function writeTable(
  batch: Batch,
  networks: readonly FilteredNetwork[],
  ports: readonly Forwarding[],
  replace: boolean,
): void {
  transaction(batch, () => {
    newTable(batch, TABLE, replace);
    if (replace) {
      deleteTable(batch, TABLE);
      newTable(batch, TABLE, false);
    }
    SETS.forEach((set, index) => {
      newSet(batch, TABLE, set, index + 1);
    });
    for (const chain of CHAINS) newChain(batch, TABLE, chain);
    for (const [chain, ...expressions] of rules()) newRule(batch, TABLE, chain, expressions);
    for (const network of networks) changeNetwork(addElements, batch, network);
    changePorts(addElements, batch, ports);
  });
}

/** Whether our rules are there, all of them or some or none: somebody may have flushed them. */
export function findRules(socket: NetlinkSocket): "all" | "some" | "none" {
  const batch = new Batch();
  askForRules(batch, TABLE);
  let count = 0;
  socket.dump(batch, () => count++);
  return count === RULE_COUNT ? "all" : count === 0 ? "none" : "some";
}

const ENOENT = 2;

/** Whether the table knows a network. */
export function knowsNetwork(socket: NetlinkSocket, network: FilteredNetwork): boolean {
  const batch = new Batch();
  askForElement(batch, TABLE, "bridges", { key: linkName(network.bridge) });
  return socket.get(batch, (_, errno) => errno === ENOENT) !== undefined;
}

/** Adds a network and published ports. Throws ENOENT if the table is not there, EEXIST if a port leads elsewhere. */
export function addToTable(
  socket: NetlinkSocket,
  network: FilteredNetwork | undefined,
  ports: readonly Forwarding[],
): void {
  const batch = new Batch();
  transaction(batch, () => {
    if (network !== undefined) changeNetwork(addElements, batch, network);
    changePorts(addElements, batch, ports);
  });
  socket.apply(batch);
}

/** Removes published ports, as far as they are there. */
export function removePorts(socket: NetlinkSocket, ports: readonly Forwarding[]): void {
  const remove = (some: readonly Forwarding[]) => {
    const batch = new Batch();
    transaction(batch, () => changePorts(deleteElements, batch, some));
    socket.apply(batch);
  };
  try {
    remove(ports);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    // One that is missing has undone them all.
    for (const port of ports) {
      try {
        remove([port]);
      } catch (single) {
        if (!isErrno(single, "ENOENT")) throw single;
      }
    }
  }
}

const NFTA_SET_ELEM_LIST_ELEMENTS = 3;

const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;

/** The bridges that the table knows; none also if there is no table. */
function listBridges(socket: NetlinkSocket): string[] {
  const batch = new Batch();
  askForElements(batch, TABLE, "bridges");
  const bridges: string[] = [];
  try {
    socket.dump(batch, ({ payload: bytes }) => {
      const elements = parseAttributes(bytes, 4).get(NFTA_SET_ELEM_LIST_ELEMENTS) ?? new Uint8Array();
      for (const [, element] of listAttributes(elements)) {
        const key = parseAttributes(element).get(NFTA_SET_ELEM_KEY) ?? new Uint8Array();
        bridges.push(textOf(parseAttributes(key).get(NFTA_DATA_VALUE)) ?? "");
      }
    });
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
  return bridges;
}

/** Removes a network that has no containers any more, and with the last one the table. */
export function removeNetwork(socket: NetlinkSocket, network: FilteredNetwork): void {
  const bridges = listBridges(socket);
  if (!bridges.includes(network.bridge)) return;
  const batch = new Batch();
  transaction(batch, () => {
    if (bridges.length === 1) deleteTable(batch, TABLE);
    else changeNetwork(deleteElements, batch, network);
  });
  try {
    socket.apply(batch);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}
