/**
 * Published ports: what `--publish` says, and the sockets that reserve them on the host.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { bindInet, portOf, SOCK } from "../linux/socket.ts";
import { formatAddress, parseAddress } from "./address.ts";
import type { Protocol } from "./nftables.ts";

/** More ports than this are not published for one container: each is a socket that stays open. */
export const PORTS_LIMIT = 512;
const PORT_MAX = 65535;

export interface PublishedPort {
  /** The host's address; `0.0.0.0` stands for all of them. */
  readonly hostAddress: string;
  /** The host's port: the first that is free of these. 0 to 0: any. */
  readonly hostPorts: { readonly first: number; readonly last: number };
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/** A published port whose host port is settled, and reserved. */
export interface ReservedPort {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

function bad(text: string, why: string): Failure {
  return new Failure(`--publish ${text}: ${why}`, {
    hint: "write [ADDRESS:][HOST_PORT:]CONTAINER_PORT[/tcp|/udp|/sctp], as in 8080:80 or 127.0.0.1:5353:53/udp",
  });
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function parsePort(text: string): number | undefined {
  if (text.length === 0 || text.length > 5 || ![...text].every((letter) => letter >= "0" && letter <= "9")) {
    return undefined;
  }
  const port = Number(text);
  return port <= PORT_MAX ? port : undefined;
}

function parseRange(whole: string, text: string): Range {
  const dash = text.indexOf("-");
  const first = parsePort(dash < 0 ? text : text.slice(0, dash));
  const last = dash < 0 ? first : parsePort(text.slice(dash + 1));
  if (first === undefined || last === undefined) throw bad(whole, `"${text}" is no port and no range of ports`);
  if (last < first) throw bad(whole, `the range ${text} ends before it begins`);
  return { first, last };
}

/** Splits off an address in front: up to the last colon but one. */
function splitAddress(whole: string, text: string): { address: string; rest: string } {
  if (text.startsWith("[")) {
    const end = text.indexOf("]:");
    if (end < 0) throw bad(whole, "the address lacks its closing bracket");
    return { address: text.slice(1, end), rest: text.slice(end + 2) };
  }
  const last = text.lastIndexOf(":");
  const before = last <= 0 ? -1 : text.lastIndexOf(":", last - 1);
  return before < 0 ? { address: "", rest: text } : { address: text.slice(0, before), rest: text.slice(before + 1) };
}

function isProtocol(text: string): text is Protocol {
  return text === "tcp" || text === "udp" || text === "sctp";
}

/** Parses one `--publish`: as many ports as its ranges are wide. Throws a Failure that says what is wrong. */
export function parsePublish(whole: string): PublishedPort[] {
  const slash = whole.indexOf("/");
  const protocol = slash < 0 ? "tcp" : whole.slice(slash + 1).toLowerCase();
  if (!isProtocol(protocol)) throw bad(whole, `"${protocol}" is no protocol that has ports`);
  const { address, rest } = splitAddress(whole, slash < 0 ? whole : whole.slice(0, slash));
  const parsed = parseAddress(address === "" ? "0.0.0.0" : address);
  if (parsed === undefined) throw bad(whole, `"${address}" is no IP address`);
  if (parsed.length === 16) throw bad(whole, "ports of IPv6 addresses cannot be published yet");
  const hostAddress = formatAddress(parsed);

  const colon = rest.indexOf(":");
  const inside = parseRange(whole, rest.slice(colon + 1));
  if (inside.first === 0) throw bad(whole, "a container has no port 0");
  const count = inside.last - inside.first + 1;
  if (count > PORTS_LIMIT) throw bad(whole, `more than ${PORTS_LIMIT} ports`);
  const outsideText = colon < 0 ? "" : rest.slice(0, colon);
  const outside = outsideText === "" || outsideText === "0" ? undefined : parseRange(whole, outsideText);
  if (outside?.first === 0) throw bad(whole, "the host has no port 0");
  if (outside !== undefined && count > 1 && outside.last - outside.first + 1 !== count) {
    throw bad(whole, "the two ranges are not equally long");
  }
  return Array.from({ length: count }, (_, index) => {
    // One container port and a range on the host: any of the range will do.
    const last = count > 1 ? (outside?.first ?? 0) + index : outside?.last;
    const first = count > 1 ? last : outside?.first;
    const hostPorts = outside === undefined ? { first: 0, last: 0 } : { first: first ?? 0, last: last ?? 0 };
    return { hostAddress, hostPorts, containerPort: inside.first + index, protocol };
  });
}

/** Parses all `--publish` of a container, and refuses too many. */
export function parsePublished(texts: readonly string[]): PublishedPort[] {
  const ports = texts.flatMap(parsePublish);
  if (ports.length > PORTS_LIMIT) throw new Failure(`more than ${PORTS_LIMIT} published ports`);
  return ports;
}

const IPPROTO_SCTP = 132;

function bindOne(port: PublishedPort, hostPort: number): Handle {
  const address = parseAddress(port.hostAddress) ?? new Uint8Array(4);
  const type = port.protocol === "udp" ? SOCK.datagram : SOCK.stream;
  return bindInet(address, hostPort, type, port.protocol === "sctp" ? IPPROTO_SCTP : 0);
}

function reserveOne(port: PublishedPort): { handle: Handle; port: ReservedPort } {
  const { hostAddress, hostPorts, containerPort, protocol } = port;
  for (let hostPort = hostPorts.first; hostPort <= hostPorts.last; hostPort++) {
    try {
      const handle = bindOne(port, hostPort);
      return { handle, port: { hostAddress, hostPort: hostPort || portOf(handle.fd), containerPort, protocol } };
    } catch (error) {
      if (isErrno(error, "EADDRINUSE") && hostPort < hostPorts.last) continue;
      throw reserveFailure(error, port);
    }
  }
  throw new Failure("the range of host ports is empty");
}

function reserveFailure(error: unknown, { hostAddress, hostPorts, protocol }: PublishedPort): unknown {
  const range = hostPorts.first === hostPorts.last ? `${hostPorts.first}` : `${hostPorts.first}-${hostPorts.last}`;
  const where = hostAddress === "0.0.0.0" ? "" : ` of ${hostAddress}`;
  if (isErrno(error, "EADDRINUSE")) {
    return new Failure(`port ${range}/${protocol}${where} is already in use on this host`, {
      hint: "choose another host port, or leave it out (--publish :80) to get a free one",
      cause: error,
    });
  }
  if (isErrno(error, "EADDRNOTAVAIL")) {
    return new Failure(`this host has no address ${hostAddress} to publish port ${range} on`, { cause: error });
  }
  if (isErrno(error, "EACCES")) {
    return new Failure(`port ${range} may be published by root only`, {
      hint: "choose a port from 1024 on",
      cause: error,
    });
  }
  if (isErrno(error, "EPROTONOSUPPORT", "ESOCKTNOSUPPORT")) {
    return new Failure(`this kernel does not know the protocol ${protocol}`, { cause: error });
  }
  return error;
}

export interface Reservation {
  readonly ports: readonly ReservedPort[];
  /** Sockets that hold the ports on the host as long as they are open: they belong to what supervises the container. */
  readonly handles: readonly Handle[];
}

/**
 * Takes the host ports, so that nobody else gets them. The sockets never see a packet: the packet filter sends those on.
 * @throws Failure if one is in use; then none is taken
 */
export function reservePorts(ports: readonly PublishedPort[]): Reservation {
  const handles: Handle[] = [];
  const reserved: ReservedPort[] = [];
  try {
    for (const port of ports) {
      const one = reserveOne(port);
      handles.push(one.handle);
      reserved.push(one.port);
    }
    return { ports: reserved, handles };
  } catch (error) {
    for (const handle of handles) handle.close();
    throw error;
  }
}
