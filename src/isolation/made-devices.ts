/**
 * The device nodes of a container with a user namespace, which may make none itself: the host's root makes them, as the specification
 * has them, in a file system that nobody else sees, and they are bound into the container.
 * Sources: runtime-spec config-linux.md#devices; user_namespaces(7), "Capabilities"; open_tree(2): until Linux 6.15 only what
 * is attached in the caller's mount namespace can be copied, hence a child that has one.
 */
import { Failure } from "../failure.ts";
import { call } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { attach, cloneTree, createDetached, MS, mount, openFilesystem } from "../linux/mount.ts";
import { CLONE, exit, fork, waitFor } from "../linux/process.ts";
import { makeNode, O_DIRECTORY, O_PATH, openEntry } from "../linux/rootpath.ts";
import { receiveMessage, sendMessage, socketPair } from "../linux/socket.ts";
import { statusOfFd } from "../linux/status.ts";
import type { IdMapping } from "../spec/config.ts";
import { hostIdOf, runsInUserNamespace } from "./idmap.ts";
import { type BindStep, NODE_TYPE, type NodeStep, type RootStep } from "./root-steps.ts";

/** A node that is to be made, with its owner as the host has it. */
interface Order {
  readonly step: BindStep;
  readonly node: NodeStep;
  readonly uid: number;
  readonly gid: number;
}

/** Maps of ids, or another's user namespace, whose maps are not known here. */
type Maps =
  | { readonly uids: readonly IdMapping[]; readonly gids: readonly IdMapping[] }
  | { readonly namespace: Handle };

/**
 * Mounts of nodes that are made for the steps, attached nowhere. Steps are left out whose nodes cannot be made here: by others than the
 * host's root, with owners that the container does not have, or in a user namespace that is joined. They get the host's.
 */
export function makeDevices(steps: readonly RootStep[], maps: Maps | undefined): Map<BindStep, Handle> {
  const orders = maps === undefined || "namespace" in maps ? [] : steps.flatMap((step) => orderOf(step, maps));
  if (orders.length === 0 || runsInUserNamespace()) return new Map();
  const [ours, theirs] = socketPair();
  using own = ours;
  const child = fork(CLONE.newMount);
  if (child === undefined) {
    try {
      serve(orders, theirs.fd);
    } finally {
      exit(0);
    }
  }
  theirs.close();
  const made = new Map<BindStep, Handle>();
  for (const { step } of orders) {
    const copy = receiveMessage(own.fd, 1)?.fds[0];
    if (copy !== undefined) made.set(step, copy);
  }
  waitFor(child);
  child.pidfd.close();
  return made;
}

function orderOf(step: RootStep, maps: Exclude<Maps, { namespace: Handle }>): Order[] {
  if (step.do !== "bind" || step.device === undefined) return [];
  const node = step.device;
  const uid = hostIdOf(node.uid, maps.uids);
  const gid = hostIdOf(node.gid, maps.gids);
  return uid === undefined || gid === undefined ? [] : [{ step, node, uid, gid }];
}

/** Makes the nodes in a file system of this process's own mount namespace, and hands out a mount of each. */
function serve(orders: readonly Order[], socketFd: number): void {
  call("umask", "", 0);
  mount("none", "/", "", MS.rec | MS.private, null);
  using context = openFilesystem("tmpfs");
  using place = createDetached(context.fd, "tmpfs for devices", 0);
  using target = openEntry(AT_FDCWD, "/dev", O_PATH | O_DIRECTORY);
  attach(place.fd, target.fd, "tmpfs for devices");
  orders.forEach(({ node, uid, gid }, index) => {
    const name = String(index);
    makeNode(place.fd, name, NODE_TYPE[node.type], node.mode, node.major, node.minor);
    call("fchownat", node.path, place.fd, name, uid, gid, 0);
    using copy = cloneTree(place.fd, name, { recursive: false });
    sendMessage(socketFd, new Uint8Array(1), [copy.fd]);
  });
}

/** Refuses a node of the host that is another device than the one which the container is to have by that path. */
export function checkDevice(host: Handle, wanted: NodeStep): void {
  const { type, device } = statusOfFd(host.fd, wanted.path);
  const same = type === "fifo" || (device.major === wanted.major && device.minor === wanted.minor);
  if (type === wanted.type && same) return;
  throw new Failure(`${wanted.path} of the host is not the device ${wanted.major}:${wanted.minor}`, {
    hint: "in its user namespace the container can have no other than the host's of that path",
  });
}
