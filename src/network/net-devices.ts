/**
 * Moves links of the host into a container: `linux.netDevices` of the specification (1.3, config-linux.md).
 */
import { Failure } from "../failure.ts";
import { utf8 } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { NETLINK } from "../linux/socket.ts";
import type { Linux } from "../spec/config.ts";
import { openNetlinkIn } from "./attach.ts";
import { Batch } from "./netlink.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import {
  findLink,
  LINK_NAME_LIMIT_BYTES,
  type LinkAddress,
  listGlobalAddresses,
  moveLink,
  restoreAddress,
  setUp,
} from "./rtnetlink.ts";

const EEXIST = 17;
const TEMPLATE = "%d";
/** How many names of a template are tried. */
const TEMPLATE_LIMIT = 1024;

/** A link to move: its name on the host, and its name or the template of it inside. */
export interface NetDevice {
  readonly name: string;
  readonly nameInside: string;
}

function isBlank(letter: string): boolean {
  const code = letter.charCodeAt(0);
  return code === 32 || (code >= 9 && code <= 13) || code === 160;
}

/** What the kernel takes as a link's name: dev_valid_name in net/core/dev.c. */
function isLinkName(name: string): boolean {
  const length = utf8(name).length;
  if (length === 0 || length > LINK_NAME_LIMIT_BYTES || name === "." || name === "..") return false;
  return ![...name].some((letter) => letter === "/" || letter === ":" || letter === "\0" || isBlank(letter));
}

/**
 * The links that are to be moved, in the order of their names.
 * @throws Failure on names that no link can have, and if two were to have the same name inside
 */
export function planNetDevices(devices: NonNullable<Linux["netDevices"]>): NetDevice[] {
  const inside = new Set<string>();
  return Object.keys(devices)
    .sort()
    .map((name) => {
      const wanted = devices[name]?.name ?? "";
      const nameInside = wanted === "" ? name : wanted;
      for (const checked of [name, nameInside]) {
        if (!isLinkName(checked))
          throw new Failure(`linux.netDevices: '${checked}' is not a name for a network device`);
      }
      const places = nameInside.split("%").length - 1;
      if (places > 0 && (places > 1 || !nameInside.includes(TEMPLATE))) {
        throw new Failure(`linux.netDevices.${name}.name: '${nameInside}' may have one '${TEMPLATE}' and no other '%'`);
      }
      if (places === 0 && inside.has(nameInside)) {
        throw new Failure(`linux.netDevices: two devices were to be named '${nameInside}' in the container`);
      }
      inside.add(nameInside);
      return { name, nameInside };
    });
}

/** The name inside, which is not taken there: of a template the first free one. */
function freeName(theirs: NetlinkSocket, { name, nameInside }: NetDevice): string {
  if (!nameInside.includes(TEMPLATE)) {
    if (findLink(theirs, nameInside) === undefined) return nameInside;
    throw new Failure(`linux.netDevices.${name}: the container has a network device '${nameInside}' already`);
  }
  for (let number = 0; number < TEMPLATE_LIMIT; number++) {
    const candidate = nameInside.replace(TEMPLATE, String(number));
    if (utf8(candidate).length > LINK_NAME_LIMIT_BYTES) break;
    if (findLink(theirs, candidate) === undefined) return candidate;
  }
  throw new Failure(`linux.netDevices.${name}: no name of the form '${nameInside}' is free in the container`);
}

/** Sets the addresses again, which the move has taken away, and sets the link up. */
function setUpInside(theirs: NetlinkSocket, name: string, addresses: readonly LinkAddress[]): void {
  const link = findLink(theirs, name);
  if (link === undefined) throw new Failure(`the network device '${name}' has gone from the container`);
  const batch = new Batch();
  for (const address of addresses) restoreAddress(batch, link.index, address);
  setUp(batch, link.index);
  theirs.apply(batch, (_, errno) => errno === EEXIST);
}

function moveOne(ours: NetlinkSocket, theirs: NetlinkSocket, netnsFd: number, device: NetDevice): void {
  const link = findLink(ours, device.name);
  if (link === undefined) {
    throw new Failure(`linux.netDevices: the host has no network device '${device.name}'`, {
      hint: "'ip link' lists those it has",
    });
  }
  const name = freeName(theirs, device);
  // Before it is set down, which takes the IPv6 addresses.
  const addresses = listGlobalAddresses(ours, link.index);
  const batch = new Batch();
  moveLink(batch, link.index, { fd: netnsFd }, name);
  ours.apply(batch);
  setUpInside(theirs, name, addresses);
}

/**
 * Moves links from the network namespace of this process to the one that another process is in, each with its permanent global
 * addresses and up. What they are is kept otherwise. With the last process of that namespace, hardware comes back to the
 * initial one and virtual links are deleted: the kernel sees to that.
 * @throws Failure if there is no such link, if its name is taken there or if moving is not permitted; KernelError. Links that
 * were moved before stay where they are.
 */
export function moveNetDevices(devices: NonNullable<Linux["netDevices"]>, pid: number): void {
  const planned = planNetDevices(devices);
  if (planned.length === 0) return;
  using netns = openHost(`/proc/${pid}/ns/net`, O_RDONLY);
  using ours = new NetlinkSocket(NETLINK.route);
  using theirs = openNetlinkIn(netns);
  for (const device of planned) {
    try {
      moveOne(ours, theirs, netns.fd, device);
    } catch (error) {
      if (!isErrno(error)) throw error;
      throw new Failure(`linux.netDevices: '${device.name}' can not be moved into the container: ${error.message}`, {
        hint: isErrno(error, "EPERM") ? "it needs CAP_NET_ADMIN on the host" : undefined,
        cause: error,
      });
    }
  }
}
