/**
 * Internet addresses and subnets: text and bytes. Pure.
 */

/** Address families, as socket(2) numbers them. */
export type Family = 4 | 6;

/** An address in network order: 4 or 16 bytes. */
export type Address = Uint8Array;

export const familyOf = (address: Address): Family => (address.length === 16 ? 6 : 4);

function number(text: string, base: 10 | 16, limit: number): number | undefined {
  const digits = base === 10 ? "0123456789" : "0123456789abcdef";
  if (text === "" || text.length > 4) return undefined;
  let value = 0;
  for (const letter of text.toLowerCase()) {
    const digit = digits.indexOf(letter);
    if (digit < 0) return undefined;
    value = value * base + digit;
  }
  return value > limit || (base === 10 && text.length > 1 && text[0] === "0") ? undefined : value;
}

function parseFour(text: string): Address | undefined {
  const parts = text.split(".", 5).map((part) => number(part, 10, 255));
  if (parts.length !== 4 || parts.includes(undefined)) return undefined;
  return Uint8Array.from(parts as number[]);
}

/** The groups of one side of `::`, each two bytes; at the very end there may be an IPv4 address. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":", 9);
  for (const [index, group] of groups.entries()) {
    if (group.includes(".")) {
      const four = atEnd && index === groups.length - 1 ? parseFour(group) : undefined;
      if (four === undefined) return undefined;
      bytes.push(...four);
      continue;
    }
    const value = number(group, 16, 0xffff);
    if (value === undefined) return undefined;
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes;
}

function parseSix(text: string): Address | undefined {
  const gap = text.indexOf("::");
  const head = parseGroups(gap < 0 ? text : text.slice(0, gap), gap < 0);
  const tail = gap < 0 ? [] : parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  const given = head.length + tail.length;
  if (gap < 0 ? given !== 16 : given > 14) return undefined;
  const address = new Uint8Array(16);
  address.set(head);
  address.set(tail, 16 - tail.length);
  return address;
}

/** `"172.16.0.2"`, `"fd00::2"`; undefined if it is no address (zones are not understood). */
export function parseAddress(text: string): Address | undefined {
  if (text.length > 45) return undefined;
  return text.includes(":") ? parseSix(text) : parseFour(text);
}

/** An address in its usual form (RFC 5952). */
export function formatAddress(address: Address): string {
  if (address.length !== 16) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => ((address[at * 2] ?? 0) << 8) | (address[at * 2 + 1] ?? 0));
  let best = { at: 0, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(":");
  return best.length < 2 ? hex(0, 8) : `${hex(0, best.at)}::${hex(best.at + best.length, 8)}`;
}

export interface Subnet {
  /** Its first address: the host's bits are 0. */
  readonly base: Address;
  readonly prefix: number;
}

/** The subnet that an address lies in. */
export function subnetOf(address: Address, prefix: number): Subnet {
  const base = Uint8Array.from(address, (byte, at) => {
    const bits = Math.min(8, Math.max(0, prefix - at * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
  return { base, prefix };
}

/** `"172.16.0.0/24"`; undefined if it is none, or host bits are set. */
export function parseSubnet(text: string): Subnet | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const base = parseAddress(text.slice(0, slash));
  const prefix = number(text.slice(slash + 1), 10, base?.length === 16 ? 128 : 32);
  if (base === undefined || prefix === undefined) return undefined;
  const subnet = subnetOf(base, prefix);
  return sameAddress(subnet.base, base) ? subnet : undefined;
}

export const formatSubnet = (subnet: Subnet) => `${formatAddress(subnet.base)}/${subnet.prefix}`;

export function sameAddress(one: Address, other: Address): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

export function contains(subnet: Subnet, address: Address): boolean {
  return address.length === subnet.base.length && sameAddress(subnetOf(address, subnet.prefix).base, subnet.base);
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return one.prefix <= other.prefix ? contains(one, other.base) : contains(other, one.base);
}

/** The address that lies so far (below 2^32) behind the subnet's first. */
export function addressAt(subnet: Subnet, offset: number): Address {
  const address = Uint8Array.from(subnet.base);
  const view = new DataView(address.buffer);
  const at = address.length - 4;
  view.setUint32(at, view.getUint32(at) + offset);
  return address;
}

/** How far an address lies behind the subnet's first. */
export function offsetOf(subnet: Subnet, address: Address): number {
  const low = (bytes: Address) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4);
  return low(address) - low(subnet.base);
}

/** How many addresses a subnet has, 2^32 - 1 at most. */
export function sizeOf(subnet: Subnet): number {
  return Math.min(2 ** (subnet.base.length * 8 - subnet.prefix), 0xffffffff);
}

/** The last address of an IPv4 subnet, which is its broadcast address. */
export function broadcastOf(subnet: Subnet): Address {
  return addressAt(subnet, sizeOf(subnet) - 1);
}

export const isLoopback = (address: Address): boolean =>
  address.length === 16 ? address.every((byte, at) => byte === (at === 15 ? 1 : 0)) : address[0] === 127;

export const isUnspecified = (address: Address): boolean => address.every((byte) => byte === 0);
