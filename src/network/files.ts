/**
 * The files by which programs find names: /etc/resolv.conf, /etc/hosts and /etc/hostname of a container. Pure: text in, text out.
 */
import { Failure } from "../failure.ts";
import { formatAddress, isLoopback, parseAddress } from "./address.ts";

/** Where the host's resolvers are, and where they are if that file only names systemd's stub on loopback. */
export const RESOLV_CONF = "/etc/resolv.conf";
export const RESOLVED_CONF = "/run/systemd/resolve/resolv.conf";

/** What is asked if the host names no resolver that a container can reach: Google's, as docker has it. */
const PUBLIC_RESOLVERS = ["8.8.8.8", "8.8.4.4"];
/** Lines of the host's file that are looked at. */
const LINES_LIMIT = 1000;

const HEAD = "# Written by mycontainer when the container was started.\n";

interface Resolving {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

function words(line: string): string[] {
  return line.split(/[ \t]/).filter((word) => word !== "");
}

/** Parses resolv.conf(5); what is unknown is left out. */
function parseResolvConf(text: string): Resolving {
  const nameservers: string[] = [];
  const options: string[] = [];
  let search: string[] = [];
  for (const line of text.split("\n", LINES_LIMIT)) {
    const [keyword, ...values] = words(line.replaceAll("\r", ""));
    if (keyword === "nameserver" && values[0] !== undefined) nameservers.push(values[0]);
    // The last one counts, resolv.conf(5).
    else if (keyword === "search" || keyword === "domain") search = values;
    else if (keyword === "options") options.push(...values);
  }
  return { nameservers, search, options };
}

/** An address in front of a zone: `fe80::1%eth0`. */
function addressIn(nameserver: string) {
  const zone = nameserver.indexOf("%");
  return { address: parseAddress(zone < 0 ? nameserver : nameserver.slice(0, zone)), hasZone: zone >= 0 };
}

/** Whether a host's file names nothing but systemd-resolved's stub, so that the file of the real resolvers is to be read. */
export function isStubOnly(text: string): boolean {
  const { nameservers } = parseResolvConf(text);
  return nameservers.length === 1 && nameservers[0] === "127.0.0.53";
}

export interface ResolvConfOptions {
  /** The host's file. */
  readonly host: string;
  /** Whether the container has the host's network: then it reaches what the host reaches. */
  readonly hostNetwork: boolean;
  /** `--dns`, `--dns-search`, `--dns-option`: each replaces what the host has. */
  readonly dns?: readonly string[];
  /** `.` alone means none. */
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

function checkWord(flag: string, word: string): string {
  if (word === "" || word.length > 255 || [...word].some((c) => c <= " " || c === "\x7f")) {
    throw new Failure(`${flag} ${JSON.stringify(word)}: that is no name`);
  }
  return word;
}

function checkServer(text: string): string {
  if (addressIn(checkWord("--dns", text)).address === undefined) {
    throw new Failure(`--dns ${text}: that is no IP address`, { hint: "write an address, as in --dns 1.1.1.1" });
  }
  return text;
}

/** The host's resolvers that are there for a container in a network of its own, which has no IPv6 and another loopback. */
function reachable(nameservers: readonly string[]): string[] {
  const kept = nameservers.filter((nameserver) => {
    const { address, hasZone } = addressIn(nameserver);
    return address !== undefined && address.length === 4 && !hasZone && !isLoopback(address);
  });
  return kept.length === 0 ? PUBLIC_RESOLVERS : kept;
}

/** A container's /etc/resolv.conf. Throws a Failure if an option is malformed. */
export function resolvConf({ host, hostNetwork, dns = [], search = [], options = [] }: ResolvConfOptions): string {
  if (hostNetwork && dns.length + search.length + options.length === 0) return host;
  const given = parseResolvConf(host);
  const hosts = hostNetwork ? given.nameservers : reachable(given.nameservers);
  const nameservers = dns.length > 0 ? dns.map(checkServer) : hosts;
  const wanted = search.map((word) => checkWord("--dns-search", word));
  const domains = wanted.length > 0 ? wanted.filter((word) => word !== ".") : given.search;
  const flags = options.length > 0 ? options.map((word) => checkWord("--dns-option", word)) : given.options;
  return [
    HEAD,
    ...nameservers.map((nameserver) => `nameserver ${nameserver}\n`),
    ...(domains.length > 0 ? [`search ${domains.join(" ")}\n`] : []),
    ...(flags.length > 0 ? [`options ${flags.join(" ")}\n`] : []),
  ].join("");
}

const HOSTS_ALWAYS = `127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
ff00::\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
`;

export interface HostsOptions {
  /** The file that it begins with: the host's own for those who share its network. */
  readonly base?: string;
  /** `--add-host NAME:ADDRESS` (or NAME=ADDRESS); the address may be `host-gateway`. */
  readonly addHosts?: readonly string[];
  /** What `host-gateway` stands for. */
  readonly gateway?: string;
  /** The container itself, if it has a name of its own. */
  readonly own?: OwnName;
}

export interface OwnName {
  readonly address: string;
  readonly hostname: string;
  readonly domainname?: string;
}

/**
 * Where a container finds itself that has no address of its own: a loopback address which is not localhost's, as Debian's
 * installer does, so that its name and localhost stay two. sudo, among others, looks for its host's name.
 */
export const OWN_LOOPBACK = "127.0.1.1";

function hostLine(text: string, gateway: string | undefined): string {
  const bad = (why: string) =>
    new Failure(`--add-host ${text}: ${why}`, { hint: "write NAME:ADDRESS, as in db:10.0.0.7" });
  const equals = text.indexOf("=");
  const at = equals >= 0 ? equals : text.indexOf(":");
  if (at <= 0) throw bad("it lacks the name or the address");
  const name = checkWord("--add-host", text.slice(0, at));
  if (name.includes("#")) throw bad("that is no name");
  const after = text.slice(at + 1);
  if (after === "host-gateway") {
    if (gateway === undefined) throw bad("there is no gateway in this network");
    return `${gateway}\t${name}\n`;
  }
  const bare = after.startsWith("[") && after.endsWith("]") ? after.slice(1, -1) : after;
  const address = parseAddress(bare);
  if (address === undefined) throw bad(`"${after}" is no IP address`);
  return `${formatAddress(address)}\t${name}\n`;
}

/** A container's /etc/hosts. Throws a Failure if an option is malformed. */
export function hostsFile({ base = HOSTS_ALWAYS, addHosts = [], gateway, own }: HostsOptions): string {
  const begin = base === "" || base.endsWith("\n") ? base : `${base}\n`;
  const extra = addHosts.map((text) => hostLine(text, gateway)).join("");
  return begin + extra + (own === undefined ? "" : ownLine(own));
}

/** The line of /etc/hosts by which a container finds itself: first its full name (hosts(5)). */
export function ownLine({ address, hostname, domainname = "" }: OwnName): string {
  return `${address}\t${domainname === "" ? hostname : `${hostname}.${domainname} ${hostname}`}\n`;
}

/** A container's /etc/hostname. */
export function hostnameFile(hostname: string): string {
  return `${hostname}\n`;
}
