/**
 * What network a container gets: decided from its options alone. Pure; the plan is plain data, printed by `--dry-run`.
 */
import { Failure } from "../failure.ts";
import {
  addressAt,
  contains,
  formatAddress,
  offsetOf,
  parseAddress,
  parseSubnet,
  sameAddress,
  sizeOf,
} from "./address.ts";
import type { NetworkRecord } from "./leases.ts";
import { type PublishedPort, parsePublished } from "./ports.ts";

/** The network of those who ask for none in particular. */
export const DEFAULT_NETWORK: NetworkRecord = {
  network: "default",
  bridge: "mycontainer0",
  subnet: "172.16.0.0/24",
  gateway: "172.16.0.1",
};

const DEFAULT_MTU_BYTES = 1500;
const MTU_LIMITS_BYTES = { min: 68, max: 65535 } as const;
const LINK_NAME_LIMIT_BYTES = 15;

export interface BridgePlan {
  readonly kind: "bridge";
  readonly container: string;
  readonly network: NetworkRecord;
  /** The end of the veth pair on the host, and the other one, until it is renamed. */
  readonly hostLink: string;
  readonly peerLink: string;
  /** The link's name in the container. */
  readonly name: string;
  readonly mtuBytes: number;
  /** Made from the address if it was not asked for. */
  readonly mac?: string;
  /** Leased from the subnet if it was not asked for. */
  readonly address?: string;
  readonly ports: readonly PublishedPort[];
}

export type NetworkPlan =
  | BridgePlan
  /** Only loopback. */
  | { readonly kind: "none" }
  /** The host's own. */
  | { readonly kind: "host" }
  /** That of another container. */
  | { readonly kind: "container"; readonly container: string };

export interface NetworkOptions {
  readonly container: string;
  /** `--network`: bridge, none, host, container:ID or the name of a network. */
  readonly network?: string;
  readonly publish?: readonly string[];
  /** `--ip` */
  readonly ip?: string;
  /** `--mac-address` */
  readonly mac?: string;
  readonly mtuBytes?: number;
}

export interface NetworkFacts {
  /** The network called "bridge" and "default" is the first. */
  readonly networks: readonly NetworkRecord[];
}

/** 32 bits that stand for a text (FNV-1a). */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** What distinguishes a container's links: the hex digits that its id ends in, or eight that are made from another id. */
export function linkSuffix(container: string): string {
  const end = container.slice(-7);
  const isHex = end.length === 7 && end[0] === "-" && [...end.slice(1)].every((c) => "0123456789abcdef".includes(c));
  return isHex ? end.slice(1) : hash32(container).toString(16).padStart(8, "0");
}

/** `"02:42:ac:10:00:02"` as bytes; undefined if it is no address that a link may have. */
export function parseMac(text: string): Uint8Array | undefined {
  const parts = text.split(":", 7);
  const isByte = (part: string) =>
    part.length === 2 && [...part.toLowerCase()].every((c) => "0123456789abcdef".includes(c));
  if (parts.length !== 6 || !parts.every(isByte)) return undefined;
  const bytes = Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
  const multicast = ((bytes[0] ?? 0) & 1) !== 0;
  return multicast || bytes.every((byte) => byte === 0) ? undefined : bytes;
}

/** A link's address made from its IPv4 address: who gets the address next has the same, so nobody's neighbour table is stale. */
export function macOf(address: Uint8Array): Uint8Array {
  return new Uint8Array([0x02, 0x42, ...address.slice(-4)]);
}

/** Whether a name may be that of a file: networks and containers are known by them in the lease directories. */
function isFileName(name: string): boolean {
  const isLetter = (c: string) => (c >= "a" && c <= "z") || (c >= "A" && c <= "Z") || (c >= "0" && c <= "9");
  return (
    name.length > 0 && name.length <= 200 && [...name].every((c, at) => isLetter(c) || (at > 0 && "_.-".includes(c)))
  );
}

/** Checks a network as it is configured. Throws a Failure that says what is wrong. */
export function checkNetwork(record: NetworkRecord): NetworkRecord {
  const bad = (why: string, hint?: string) => new Failure(`network ${record.network}: ${why}`, { hint });
  if (!isFileName(record.network)) throw bad("a network's name consists of letters, digits, '_', '-' and '.'");
  const subnet = parseSubnet(record.subnet);
  if (subnet === undefined) throw bad(`"${record.subnet}" is no subnet`, "write it as 172.16.0.0/24");
  if (subnet.base.length !== 4 || subnet.prefix < 8 || subnet.prefix > 29) {
    throw bad(`the subnet ${record.subnet} is not usable`, "choose an IPv4 subnet with a prefix of 8 to 29");
  }
  const gateway = parseAddress(record.gateway);
  if (gateway === undefined || !isForHosts(record, gateway)) {
    throw bad(`the gateway ${record.gateway} is no address of ${record.subnet}`);
  }
  const { bridge } = record;
  if (
    bridge === "" ||
    bridge.length > LINK_NAME_LIMIT_BYTES ||
    [...bridge].some((c) => c === "/" || c <= " " || c > "~")
  ) {
    throw bad(`"${bridge}" is no name for a link`, `choose one of at most ${LINK_NAME_LIMIT_BYTES} letters and digits`);
  }
  return record;
}

function isForHosts(record: NetworkRecord, address: Uint8Array): boolean {
  const subnet = parseSubnet(record.subnet);
  if (subnet === undefined || !contains(subnet, address)) return false;
  const offset = offsetOf(subnet, address);
  return offset > 0 && offset < sizeOf(subnet) - 1;
}

/** The network of a subnet: its first address is the gateway. */
export function networkOf(network: string, bridge: string, subnetText: string): NetworkRecord {
  const subnet = parseSubnet(subnetText);
  const gateway = subnet === undefined ? "" : formatAddress(addressAt(subnet, 1));
  return checkNetwork({ network, bridge, subnet: subnetText, gateway });
}

function checkAddress(record: NetworkRecord, text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new Failure(`--ip ${text}: that is no IP address`);
  const gateway = parseAddress(record.gateway);
  if (!isForHosts(record, address) || (gateway !== undefined && sameAddress(address, gateway))) {
    throw new Failure(`--ip ${text}: that is no address for a container in ${record.subnet}`);
  }
  return formatAddress(address);
}

function planBridge(options: NetworkOptions, record: NetworkRecord): BridgePlan {
  checkNetwork(record);
  const { container, ip, mac } = options;
  if (!isFileName(container)) throw new Failure(`"${container}" is no id of a container`);
  if (mac !== undefined && parseMac(mac) === undefined) {
    throw new Failure(`--mac-address ${mac}: that is no address of a link`, { hint: "write it as 02:42:ac:10:00:02" });
  }
  const mtuBytes = options.mtuBytes ?? DEFAULT_MTU_BYTES;
  if (!Number.isInteger(mtuBytes) || mtuBytes < MTU_LIMITS_BYTES.min || mtuBytes > MTU_LIMITS_BYTES.max) {
    throw new Failure(`an MTU of ${mtuBytes} bytes is not possible`);
  }
  const suffix = linkSuffix(container);
  return {
    kind: "bridge",
    container,
    network: record,
    hostLink: `veth0-${suffix}`,
    peerLink: `veth1-${suffix}`,
    name: "eth0",
    mtuBytes,
    ...(mac === undefined ? {} : { mac }),
    ...(ip === undefined ? {} : { address: checkAddress(record, ip) }),
    ports: parsePublished(options.publish ?? []),
  };
}

/**
 * Decides on a container's network.
 * @throws Failure if the options contradict each other or name a network that is not there
 */
export function planNetwork(options: NetworkOptions, facts: NetworkFacts): NetworkPlan {
  const { network = "bridge", publish = [], ip, mac } = options;
  const record =
    network === "bridge" || network === "default"
      ? (facts.networks[0] ?? DEFAULT_NETWORK)
      : facts.networks.find((one) => one.network === network);
  if (record !== undefined) return planBridge(options, record);

  if (ip !== undefined || mac !== undefined) {
    throw new Failure(`--ip and --mac-address make no sense with --network ${network}`);
  }
  if (network === "none" || network === "host") {
    // Checked, and then without effect, as it is with docker.
    parsePublished(publish);
    return { kind: network };
  }
  if (network.startsWith("container:")) {
    const container = network.slice("container:".length);
    if (container === "")
      throw new Failure("--network container: lacks the container", { hint: "write container:NAME" });
    if (publish.length > 0) {
      throw new Failure(`--publish makes no sense with --network ${network}`, {
        hint: "publish the ports of the container whose network it is",
      });
    }
    return { kind: "container", container };
  }
  throw new Failure(`there is no network "${network}"`, { hint: "choose bridge, none, host or container:NAME" });
}
