/**
 * Addresses that containers hold, as files:
 *
 *     <root>/<network>/network.json                       what the network is
 *     <root>/<network>/addresses/172.16.0.2 -> <id>       who holds an address: made in one step, or not at all
 *     <root>/<network>/containers/<id> -> 172.16.0.2      the way back
 *     <root>/<network>/ports/<id>                         the container's published ports, if it has any (JSON)
 *     <root>/<network>/next                               below this offset everything is taken; only a hint
 *
 * All of it is done under a lock on `<root>`, which goes with its holder. Whatever dies half way leaves a link that
 * `containersOf` shows and `releaseAddress` removes. Nothing is synced to disk: after a loss of power there are no containers.
 */
import { Failure } from "../failure.ts";
import { decode, utf8 } from "../linux/door.ts";
import { attempt, call, isErrno, KernelError } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import {
  listDirectory,
  makeDirectories,
  makeLink,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
  openHost,
  readLink,
  readTextIfThere,
  removeFile,
  replaceFile,
  writeNewFile,
} from "../linux/hostpath.ts";
import { read } from "../linux/io.ts";
import {
  type Address,
  addressAt,
  contains,
  formatAddress,
  formatSubnet,
  offsetOf,
  parseAddress,
  parseSubnet,
  type Subnet,
  sizeOf,
} from "./address.ts";
import type { ReservedPort } from "./ports.ts";

const LOCK_EX = 2;
const HINT_LIMIT_BYTES = 16;

/** A network as it is kept. */
export interface NetworkRecord {
  readonly network: string;
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
}

/** Holds the lock on all networks below a root until the handle is closed; waits for whoever has it. */
export function lockNetworks(root: string): Handle {
  for (;;) {
    try {
      const directory = openHost(root, O_RDONLY | O_DIRECTORY);
      call("flock", root, directory.fd, LOCK_EX);
      return directory;
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
      makeDirectories(root);
    }
  }
}

/** Where to start, and in which order, when looking for a free address: from the hint up, then from the start. Pure. */
export function* candidates(subnet: Subnet, gateway: Address, hint: number): Generator<number> {
  const [first, last] = [1, sizeOf(subnet) - 2];
  const start = Math.min(Math.max(hint, first), last + 1);
  const taken = offsetOf(subnet, gateway);
  for (let offset = start; offset <= last; offset++) if (offset !== taken) yield offset;
  for (let offset = first; offset < start; offset++) if (offset !== taken) yield offset;
}

/** How many addresses a network has for containers. */
export function capacityOf(subnet: Subnet): number {
  return Math.max(0, sizeOf(subnet) - 3);
}

class Hint {
  readonly #file: Handle;
  readonly value: number;

  constructor(path: string) {
    this.#file = openHost(path, O_RDWR);
    const bytes = new Uint8Array(HINT_LIMIT_BYTES);
    const value = Number.parseInt(decode(bytes, 0, read(this.#file.fd, bytes, path)), 10);
    this.value = Number.isSafeInteger(value) && value > 0 ? value : 1;
  }

  write(value: number): void {
    // Always as long, so that nothing of the former number is left behind it.
    const text = utf8(`${value}`.padStart(HINT_LIMIT_BYTES - 1));
    if (value !== this.value) attempt("pwrite64", this.#file.fd, text, text.length, 0);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function makeNetwork(base: string, record: NetworkRecord): void {
  for (const name of ["addresses", "containers", "ports"]) makeDirectories(`${base}/${name}`);
  replaceFile(`${base}/network.json`, `${JSON.stringify(record, null, 2)}\n`, { durable: false });
  // Last, because it stands for all of them.
  writeNewFile(`${base}/next`, "");
}

const EEXIST = 17;

/** Takes an address; false if it is another's. */
function takeAddress(base: string, address: Address, container: string): boolean {
  const path = `${base}/addresses/${formatAddress(address)}`;
  const result = attempt("symlinkat", container, AT_FDCWD, path);
  if (result === 0) return true;
  if (result !== -EEXIST) throw new KernelError("symlinkat", -result, path);
  return readLink(path) === container;
}

/** The hint's file; makes the network's directories with it if they are not there yet. */
function openHint(base: string, record: NetworkRecord): Hint {
  try {
    return new Hint(`${base}/next`);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    makeNetwork(base, record);
    return new Hint(`${base}/next`);
  }
}

/**
 * Leases the first free address of a network to a container, or a certain one. A container that holds one keeps it.
 * The lock must be held.
 * @throws Failure if there is none left, or the one asked for is another's
 */
export function leaseAddress(root: string, record: NetworkRecord, container: string, wanted?: Address): Address {
  const base = `${root}/${record.network}`;
  const subnet = parseSubnet(record.subnet);
  const gateway = parseAddress(record.gateway);
  if (subnet === undefined || gateway === undefined) throw new Error(`network ${record.network}: malformed subnet`);
  const held = addressOf(root, record.network, container);
  if (held !== undefined && takeAddress(base, held, container)) return held;

  using hint = openHint(base, record);
  const offsets = wanted === undefined ? candidates(subnet, gateway, hint.value) : [offsetOf(subnet, wanted)];
  for (const offset of offsets) {
    const address = addressAt(subnet, offset);
    if (!takeAddress(base, address, container)) continue;
    if (held !== undefined) removeFile(`${base}/containers/${container}`);
    makeLink(formatAddress(address), `${base}/containers/${container}`);
    if (wanted === undefined) hint.write(offset + 1);
    return address;
  }
  if (wanted !== undefined) {
    throw new Failure(`the address ${formatAddress(wanted)} belongs to another container`, {
      hint: "leave --ip out to get a free address",
    });
  }
  throw new Failure(
    `all ${capacityOf(subnet)} addresses of the network ${record.network} (${formatSubnet(subnet)}) are in use`,
    { hint: "stop containers that are not needed, or give the network a larger subnet in config.toml" },
  );
}

/** The address that a container holds in a network. */
export function addressOf(root: string, network: string, container: string): Address | undefined {
  const text = readLink(`${root}/${network}/containers/${container}`);
  return text === undefined ? undefined : parseAddress(text);
}

/**
 * Gives a container's address back; that it has none is fine. The lock must be held, and what else is known of the container
 * must be undone before: this is what finds it again after a crash.
 */
export function releaseAddress(root: string, record: NetworkRecord, container: string): void {
  const base = `${root}/${record.network}`;
  const address = holdingOf(root, record.network, container);
  if (address === undefined) return;
  removeFile(`${base}/ports/${container}`);
  const path = `${base}/addresses/${formatAddress(address)}`;
  const subnet = parseSubnet(record.subnet);
  if (readLink(path) === container) {
    removeFile(path);
    if (subnet !== undefined && contains(subnet, address)) {
      using hint = new Hint(`${base}/next`);
      hint.write(Math.min(hint.value, offsetOf(subnet, address)));
    }
  }
  removeFile(`${base}/containers/${container}`);
}

/** As `addressOf`, also where a crash has left the address without the way back. */
export function holdingOf(root: string, network: string, container: string): Address | undefined {
  return (
    addressOf(root, network, container) ??
    leasesOf(root, network).find((lease) => lease.container === container)?.address
  );
}

/** Notes a container's published ports, so that the packet filter can be made again from the files. */
export function notePorts(root: string, network: string, container: string, ports: readonly ReservedPort[]): void {
  writeNewFile(`${root}/${network}/ports/${container}`, JSON.stringify(ports));
}

export function portsOf(root: string, network: string, container: string): readonly ReservedPort[] {
  const text = readTextIfThere(`${root}/${network}/ports/${container}`);
  try {
    return text === undefined ? [] : (JSON.parse(text) as ReservedPort[]);
  } catch {
    // Its writer died over it, and has published nothing.
    return [];
  }
}

/** A network as it was made; undefined if it never was. */
export function readNetwork(root: string, network: string): NetworkRecord | undefined {
  const text = readTextIfThere(`${root}/${network}/network.json`);
  return text === undefined ? undefined : (JSON.parse(text) as NetworkRecord);
}

/** The networks below a root. */
export function listNetworks(root: string): NetworkRecord[] {
  return listDirectory(root)
    .filter((entry) => entry.isDirectory)
    .map((entry) => readNetwork(root, entry.name))
    .filter((record) => record !== undefined);
}

/** Who holds which address in a network. */
export function leasesOf(root: string, network: string): { container: string; address: Address }[] {
  const leases: { container: string; address: Address }[] = [];
  for (const { name } of listDirectory(`${root}/${network}/addresses`)) {
    const address = parseAddress(name);
    const container = readLink(`${root}/${network}/addresses/${name}`);
    if (address !== undefined && container !== undefined) leases.push({ container, address });
  }
  return leases;
}

/** All who are in a network, with those whom a crash has left there with half a lease. */
export function containersOf(root: string, network: string): string[] {
  const holders = leasesOf(root, network).map((lease) => lease.container);
  const known = listDirectory(`${root}/${network}/containers`).map((entry) => entry.name);
  return [...new Set([...holders, ...known])];
}

/** Who published ports in a network. */
export function publishersOf(root: string, network: string): string[] {
  return listDirectory(`${root}/${network}/ports`).map((entry) => entry.name);
}
