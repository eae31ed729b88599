/**
 * Links, addresses and routes: rtnetlink(7), include/uapi/linux/{rtnetlink,if_link,if_addr,veth}.h.
 *
 * The functions that take a `Batch` add requests to it; nothing happens before it is sent.
 */
import { struct } from "../linux/struct.ts";
import { type Address, broadcastOf, familyOf, type Subnet, subnetOf } from "./address.ts";
import { type Attributes, Batch, type Message, NLM, parseAttributes, textOf, u32Of } from "./netlink.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

const RTM = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddr: 20,
  getAddr: 22,
  newRoute: 24,
  getRoute: 26,
  newNeighbour: 28,
} as const;
const IFLA = {
  address: 1,
  ifname: 3,
  mtu: 4,
  master: 10,
  linkinfo: 18,
  netNsPid: 19,
  ifalias: 20,
  stats64: 23,
  afSpec: 26,
  netNsFd: 28,
  txQueues: 31,
  rxQueues: 32,
} as const;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const VETH_INFO_PEER = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_MODE_NONE = 1;
const IFA = { address: 1, local: 2, broadcast: 4, flags: 8 } as const;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;
const RTA = { dst: 1, oif: 4, gateway: 5, table: 15 } as const;
const NDA = { dst: 1, lladdr: 2 } as const;
const NUD_REACHABLE = 2;
const AF_INET = 2;
const AF_INET6 = 10;
const IFLA_BRPORT_MODE = 4;
const IFF_UP = 1;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;
const ENODEV = 19;

/** The kernel's limit on a link's name, without the NUL (IFNAMSIZ). */
export const LINK_NAME_LIMIT_BYTES = 15;
/** The loopback link is the first of its namespace, always. */
export const LOOPBACK_INDEX = 1;

const ifinfomsg = struct({ family: "u8", pad: "u8", type: "u16", index: "i32", flags: "u32", change: "u32" });
const ifaddrmsg = struct({ family: "u8", prefix: "u8", flags: "u8", scope: "u8", index: "u32" });
const ndmsg = struct({ family: "u8", pad1: "u8", pad2: "u16", index: "i32", state: "u16", flags: "u8", type: "u8" });
const rtmsg = struct({
  family: "u8",
  dstPrefix: "u8",
  srcPrefix: "u8",
  tos: "u8",
  table: "u8",
  protocol: "u8",
  scope: "u8",
  type: "u8",
  flags: "u32",
});

const inetFamily = (address: Address) => (familyOf(address) === 6 ? AF_INET6 : AF_INET);

/** A link by its name or by its index. */
export type LinkRef = string | number;

function linkHeader(ref: LinkRef, up?: boolean): Uint8Array {
  const state = up === undefined ? {} : { flags: up ? IFF_UP : 0, change: IFF_UP };
  return ifinfomsg.encode({ ...state, index: typeof ref === "number" ? ref : 0 });
}

/** A network namespace by a process in it or by a descriptor of it. */
export type NetnsRef = { readonly pid: number } | { readonly fd: number };

function placeIn(batch: Batch, netns: NetnsRef): void {
  if ("pid" in netns) batch.u32(IFLA.netNsPid, netns.pid);
  else batch.u32(IFLA.netNsFd, netns.fd);
}

/** Asks for a bridge, down as yet. Refused with EEXIST if there is a link of that name. */
export function addBridge(batch: Batch, name: string, options: { mac: Uint8Array; mtu: number }): void {
  const about = `create the bridge ${name}`;
  batch.message({ type: RTM.newLink, flags: NLM.create | NLM.excl, about, header: linkHeader(0) }, () => {
    batch.string(IFLA.ifname, name).bytes(IFLA.address, options.mac).u32(IFLA.mtu, options.mtu);
    batch.nest(IFLA.linkinfo, () => batch.string(IFLA_INFO_KIND, "bridge"));
  });
}

export interface VethOptions {
  readonly name: string;
  /** Index of the bridge that it becomes a port of. */
  readonly master: number;
  readonly mtu: number;
  readonly peer: { readonly name: string; readonly netns: NetnsRef; readonly mac: Uint8Array };
}

/**
 * Asks for a veth pair: this end up and in the bridge, the peer down and in its namespace from the start. One queue each
 * way is what it has: by default there would be one for every processor, each with its files in sysfs.
 */
export function addVeth(batch: Batch, { name, master, mtu, peer }: VethOptions): void {
  const about = `create the veth pair ${name} and ${peer.name}`;
  const common = (itsName: string) =>
    batch.string(IFLA.ifname, itsName).u32(IFLA.mtu, mtu).u32(IFLA.txQueues, 1).u32(IFLA.rxQueues, 1);
  batch.message({ type: RTM.newLink, flags: NLM.create | NLM.excl, about, header: linkHeader(0, true) }, () => {
    common(name).u32(IFLA.master, master);
    batch.nest(IFLA.linkinfo, () => {
      batch.string(IFLA_INFO_KIND, "veth");
      batch.nest(IFLA_INFO_DATA, () => {
        batch.nest(VETH_INFO_PEER, () => {
          batch.raw(linkHeader(0));
          common(peer.name).bytes(IFLA.address, peer.mac);
          placeIn(batch, peer.netns);
        });
      });
    });
  });
}

/** Asks for a link to be up, and to get another name before that if one is given. */
export function setUp(batch: Batch, link: LinkRef, newName?: string): void {
  const about =
    newName === undefined ? `set up the link ${link}` : `rename the link ${link} to ${newName} and set it up`;
  batch.message({ type: RTM.setLink, about, header: linkHeader(link, true) }, () => {
    const name = newName ?? (typeof link === "string" ? link : undefined);
    if (name !== undefined) batch.string(IFLA.ifname, name);
  });
}

/** Asks for a link to be set down: it carries nothing any more, at once (0.2 ms). Refused with ENODEV if there is none. */
export function setDown(batch: Batch, name: string): void {
  batch.message({ type: RTM.newLink, about: `set down the link ${name}`, header: linkHeader(name, false) }, () => {
    batch.string(IFLA.ifname, name);
  });
}

/**
 * Says who has an address on a link, as if its answer had just come: what is sent there waits for no question, and a question that
 * nobody has answered so far is (arp(7)).
 */
export function setNeighbour(batch: Batch, index: number, address: Address, mac: Uint8Array): void {
  const about = `name the neighbour of the link ${index}`;
  const header = ndmsg.encode({ family: inetFamily(address), index, state: NUD_REACHABLE });
  batch.message({ type: RTM.newNeighbour, flags: NLM.create | NLM.replace, about, header }, () => {
    batch.bytes(NDA.dst, address).bytes(NDA.lladdr, mac);
  });
}

/**
 * Asks for a bridge's port to give packets back where they came from. Without it a container does not reach its own published
 * port where the packet filter sees bridged packets (br_netfilter).
 */
export function setHairpin(batch: Batch, name: string): void {
  batch.message({ type: RTM.newLink, about: `set hairpin mode on the link ${name}`, header: linkHeader(name) }, () => {
    batch.string(IFLA.ifname, name);
    batch.nest(IFLA.linkinfo, () => {
      batch.string(IFLA_INFO_SLAVE_KIND, "bridge");
      batch.nest(IFLA_INFO_SLAVE_DATA, () => batch.u8(IFLA_BRPORT_MODE, 1));
    });
  });
}

/** Asks for a link to carry a note, which `ip link` shows as its alias. */
export function setAlias(batch: Batch, name: string, alias: string): void {
  batch.message({ type: RTM.setLink, about: `note the owner of the link ${name}`, header: linkHeader(name) }, () => {
    batch.string(IFLA.ifname, name).string(IFLA.ifalias, alias);
  });
}

/** Asks for no IPv6 address to be made up for a link. Refused with EAFNOSUPPORT where the kernel has no IPv6. */
export function withoutIpv6Address(batch: Batch, name: string): void {
  const about = `keep IPv6 addresses off the link ${name}`;
  batch.message({ type: RTM.setLink, about, header: linkHeader(name) }, () => {
    batch.string(IFLA.ifname, name);
    batch.nest(IFLA.afSpec, () => {
      batch.nest(AF_INET6, () => batch.u8(IFLA_INET6_ADDR_GEN_MODE, ADDR_GEN_MODE_NONE));
    });
  });
}

/** Asks for a link to be deleted; with a veth its peer goes. Refused with ENODEV if there is none. */
export function deleteLink(batch: Batch, name: string): void {
  batch.message({ type: RTM.delLink, about: `delete the link ${name}`, header: linkHeader(name) }, () => {
    batch.string(IFLA.ifname, name);
  });
}

/** Asks for an address on a link. Refused with EEXIST if it is there already. */
export function addAddress(batch: Batch, index: number, address: Address, prefix: number): void {
  const about = `add an address to the link ${index}`;
  const header = ifaddrmsg.encode({ family: inetFamily(address), prefix, index });
  batch.message({ type: RTM.newAddr, flags: NLM.create | NLM.excl, about, header }, () => {
    batch.bytes(IFA.local, address).bytes(IFA.address, address);
    if (familyOf(address) === 4 && prefix < 31) batch.bytes(IFA.broadcast, broadcastOf(subnetOf(address, prefix)));
  });
}

/** An address as a link has it. */
export interface LinkAddress {
  readonly prefix: number;
  readonly local: Address;
  /** The other end's on a point-to-point link, else the same as `local`. */
  readonly peer: Address;
  readonly broadcast: Address | undefined;
}

/** Asks for an address to be set on a link just as it was on another. Refused with EEXIST if it is there already. */
export function restoreAddress(batch: Batch, index: number, { prefix, local, peer, broadcast }: LinkAddress): void {
  const about = `set an address on the link ${index} again`;
  const header = ifaddrmsg.encode({ family: inetFamily(local), prefix, index });
  batch.message({ type: RTM.newAddr, flags: NLM.create | NLM.excl, about, header }, () => {
    batch.bytes(IFA.local, local).bytes(IFA.address, peer);
    if (broadcast !== undefined) batch.bytes(IFA.broadcast, broadcast);
  });
}

/** Asks for a link to go to another network namespace, under this name there, and to be down. */
export function moveLink(batch: Batch, index: number, netns: NetnsRef, name: string): void {
  const about = `move the link ${index} to another network namespace as ${name}`;
  batch.message({ type: RTM.newLink, about, header: linkHeader(index, false) }, () => {
    batch.string(IFLA.ifname, name);
    placeIn(batch, netns);
  });
}

/** Asks for a route: to `to` (everything, if not given), through a gateway or straight out of a link. */
export function addRoute(
  batch: Batch,
  route: { readonly to?: Subnet; readonly gateway?: Address; readonly index: number },
): void {
  const some = route.gateway ?? route.to?.base ?? new Uint8Array(4);
  const header = rtmsg.encode({
    family: inetFamily(some),
    dstPrefix: route.to?.prefix ?? 0,
    table: RT_TABLE_MAIN,
    protocol: RTPROT_BOOT,
    scope: route.gateway === undefined ? RT_SCOPE_LINK : 0,
    type: RTN_UNICAST,
  });
  batch.message({ type: RTM.newRoute, flags: NLM.create | NLM.excl, about: "add the route", header }, () => {
    if (route.to !== undefined) batch.bytes(RTA.dst, route.to.base);
    if (route.gateway !== undefined) batch.bytes(RTA.gateway, route.gateway);
    batch.u32(RTA.oif, route.index);
  });
}

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** `"veth"`, `"bridge"`; empty for links that are hardware. */
  readonly kind: string;
  readonly alias: string;
  readonly mtu: number;
  /** Index of the bridge that it is a port of. */
  readonly master: number | undefined;
  /** What this end has received and sent. */
  readonly rxBytes: number;
  readonly txBytes: number;
}

function parseLink(message: Message): Link {
  const header = ifinfomsg.decode(message.payload);
  const attributes = parseAttributes(message.payload, ifinfomsg.size);
  const info: Attributes = parseAttributes(attributes.get(IFLA.linkinfo) ?? new Uint8Array());
  const stats = attributes.get(IFLA.stats64);
  const counter = (at: number) =>
    stats === undefined || stats.length < at + 8
      ? 0
      : Number(new DataView(stats.buffer, stats.byteOffset).getBigUint64(at, true));
  return {
    index: header.index,
    name: textOf(attributes.get(IFLA.ifname)) ?? "",
    up: (header.flags & IFF_UP) !== 0,
    kind: textOf(info.get(IFLA_INFO_KIND)) ?? "",
    alias: textOf(attributes.get(IFLA.ifalias)) ?? "",
    mtu: u32Of(attributes.get(IFLA.mtu)) ?? 0,
    master: u32Of(attributes.get(IFLA.master)),
    // struct rtnl_link_stats64: packets in and out, then bytes in and out.
    rxBytes: counter(16),
    txBytes: counter(24),
  };
}

/** Adds the question for a link to a batch: the last of those that `NetlinkSocket.get` sends. */
function askForLink(batch: Batch, name: string): void {
  batch.message({ type: RTM.getLink, about: `look up the link ${name}`, header: linkHeader(name) }, () => {
    batch.string(IFLA.ifname, name);
  });
}

/**
 * A link by its name, or undefined if there is none.
 * @param before requests that are to be done before it is looked up
 * @param tolerate refusals of those that are fine
 */
export function findLink(
  socket: NetlinkSocket,
  name: string,
  before: Batch = new Batch(),
  tolerate: (number: number, errno: number) => boolean = () => false,
): Link | undefined {
  askForLink(before, name);
  const last = before.count - 1;
  const reply = socket.get(before, (number, errno) => (number === last ? errno === ENODEV : tolerate(number, errno)));
  return reply === undefined ? undefined : parseLink(reply);
}

/** The addresses of a link, of both families, that are permanent and of global scope: those that somebody has set. */
export function listGlobalAddresses(socket: NetlinkSocket, index: number): LinkAddress[] {
  const addresses: LinkAddress[] = [];
  const batch = new Batch();
  batch.message({ type: RTM.getAddr, flags: NLM.dump, about: "list the addresses", header: ifaddrmsg.encode({}) });
  socket.dump(batch, ({ payload }) => {
    const header = ifaddrmsg.decode(payload);
    if (header.index !== index || (header.family !== AF_INET && header.family !== AF_INET6)) return;
    const attributes = parseAttributes(payload, ifaddrmsg.size);
    const flags = u32Of(attributes.get(IFA.flags)) ?? header.flags;
    if ((flags & IFA_F_PERMANENT) === 0 || header.scope !== RT_SCOPE_UNIVERSE) return;
    const peer = attributes.get(IFA.address);
    const local = attributes.get(IFA.local) ?? peer;
    if (local === undefined || peer === undefined) return;
    const broadcast = attributes.get(IFA.broadcast);
    addresses.push({
      prefix: header.prefix,
      local: Uint8Array.from(local),
      peer: Uint8Array.from(peer),
      broadcast: broadcast === undefined ? undefined : Uint8Array.from(broadcast),
    });
  });
  return addresses;
}

/** Deletes a link and waits until it is gone: some 10 ms. Returns false if there was none. */
export function removeLink(socket: NetlinkSocket, name: string): boolean {
  let there = true;
  const batch = new Batch();
  deleteLink(batch, name);
  socket.apply(batch, (_, errno) => {
    if (errno === ENODEV) there = false;
    return errno === ENODEV;
  });
  return there;
}

export interface Route {
  readonly to: Subnet;
  /** The link that it leads out of; 0 if it has more than one, or none. */
  readonly index: number;
}

/** The IPv4 routes of the main table that lead somewhere, without the default route. */
export function listRoutes(socket: NetlinkSocket): Route[] {
  const routes: Route[] = [];
  const batch = new Batch();
  const header = rtmsg.encode({ family: AF_INET, table: RT_TABLE_MAIN });
  batch.message({ type: RTM.getRoute, flags: NLM.dump, about: "list the routes", header });
  socket.dump(batch, ({ payload }) => {
    const { dstPrefix, type, table } = rtmsg.decode(payload);
    const attributes = parseAttributes(payload, rtmsg.size);
    const destination = attributes.get(RTA.dst);
    const itsTable = u32Of(attributes.get(RTA.table)) ?? table;
    if (destination?.length !== 4 || dstPrefix === 0 || type !== RTN_UNICAST || itsTable !== RT_TABLE_MAIN) return;
    const base = Uint8Array.from(destination);
    routes.push({ to: { base, prefix: dstPrefix }, index: u32Of(attributes.get(RTA.oif)) ?? 0 });
  });
  return routes;
}
