/**
 * Mounts of the host that a user namespace is to see and not to change: read-only ones that its root could make writable, masks
 * that it could take away. The kernel locks attributes and places of mounts where a mount namespace is copied into one of another
 * user namespace (mount_namespaces(7), "Restrictions on mount namespaces"), and nowhere else: a detached mount that is attached
 * there is its root's own. So a child copies them that way, and hands over the copies, which stay locked wherever they go.
 */

import { finishUnlocked } from "../isolation/bind-attributes.ts";
import type { BindStep } from "../isolation/root-steps.ts";
import { setAttributes } from "../linux/attributes.ts";
import { call } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { attach, cloneTree, createDetached, MS, mount as mountHost, openFilesystem } from "../linux/mount.ts";
import { CLONE, exit, fork, PR, prctl, sendSignal, unshare, waitFor } from "../linux/process.ts";
import { makeDirectoriesInRoot, makeFileInRoot, O_PATH, openEntry } from "../linux/rootpath.ts";
import { SIG } from "../linux/signal.ts";
import { DESCRIPTORS_LIMIT, socketPair } from "../linux/socket.ts";
import { statusOfFd } from "../linux/status.ts";
import { describeStep } from "../plan/describe.ts";
import { awaitReport, send } from "./channel.ts";
import { inStep } from "./init.ts";
import { reportFailure } from "./program.ts";

interface Unlocked {
  /** Attached nowhere; it is attached, and of no more use, thereafter. */
  readonly mount: Handle;
  /** For messages. */
  readonly about: string;
  /** What is to be locked as well: run in the child, while the mount is attached and all may be changed. */
  readonly prepare?: () => void;
}

type Source = readonly [step: BindStep, mount: Handle];

/** The root, locked; in the place of each source comes a locked one. */
export function lockRoot(root: Handle, sources: Map<BindStep, Handle>): Handle {
  const steps = [...sources];
  const [locked, ...mounts] = lockMounts([{ mount: root, about: "root file system" }, ...steps.map(unlocked)]);
  if (locked === undefined) throw new Error("the root is not among what has been locked");
  steps.forEach(([step, mount], index) => {
    mount.close();
    sources.set(step, mounts[index] as Handle);
  });
  return locked;
}

/** The sources, locked, with the attributes of their steps. */
export function lockSources(sources: readonly Source[]): Handle[] {
  return lockMounts(sources.map(unlocked));
}

function unlocked([step, mount]: Source): Unlocked {
  return { mount, about: step.source, prepare: () => inStep(describeStep(step), () => finishUnlocked(mount, step)) };
}

/** Copies of those detached mounts, in their order, attached nowhere. Throws a Failure if one cannot be prepared. */
function lockMounts(mounts: readonly Unlocked[]): Handle[] {
  const [ours, theirs] = socketPair();
  using own = ours;
  // Nobody looks into the child, which has what the host has.
  prctl(PR.setDumpable, 0);
  const child = fork();
  if (child === undefined) {
    ours.close();
    lockInChild(mounts, theirs.fd);
  }
  theirs.close();
  const locked: Handle[] = [];
  try {
    while (locked.length < mounts.length) {
      locked.push(...(awaitReport(own.fd, "locked", { warn: () => {} })?.fds ?? []));
    }
    return locked;
  } catch (error) {
    for (const handle of locked) handle.close();
    sendSignal(child.pidfd.fd, SIG.KILL);
    throw error;
  } finally {
    waitFor(child);
    child.pidfd.close();
  }
}

function lockInChild(mounts: readonly Unlocked[], socketFd: number): never {
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    unshare(CLONE.newMount);
    mountHost("none", "/", null, MS.rec | MS.private);
    using place = attachPlace();
    mounts.forEach((unlocked, index) => {
      attachAt(place, `/${index}`, unlocked);
    });
    // In the copy of the namespace it is the root again. Who is in another root than that may make no user namespace.
    call("fchdir", "/", place.fd);
    call("chroot", "/", ".");
    unshare(CLONE.newUser + CLONE.newMount);
    for (let first = 0; first < mounts.length; first += DESCRIPTORS_LIMIT) sendCopies(mounts, first, socketFd);
    exit(0);
  } catch (error) {
    reportFailure(socketFd, error);
  }
}

/** An empty directory in this mount namespace; it covers the root, since every process may go there. */
function attachPlace(): Handle {
  using context = openFilesystem("tmpfs");
  const place = createDetached(context.fd, "tmpfs for mounts", 0);
  using root = openEntry(AT_FDCWD, "/", O_PATH);
  attach(place.fd, root.fd, "tmpfs for mounts");
  setAttributes(place.fd, "tmpfs for mounts", { propagation: MS.private });
  return place;
}

function attachAt(place: Handle, path: string, { mount, about, prepare }: Unlocked): void {
  const isDirectory = statusOfFd(mount.fd, about).type === "directory";
  using target = isDirectory ? makeDirectoriesInRoot(place.fd, path) : makeFileInRoot(place.fd, path);
  attach(mount.fd, target.fd, about);
  prepare?.();
}

function sendCopies(mounts: readonly Unlocked[], first: number, socketFd: number): void {
  using stack = new DisposableStack();
  const copies = mounts
    .slice(first, first + DESCRIPTORS_LIMIT)
    .map((_, index) => stack.use(cloneTree(AT_FDCWD, `/${first + index}`, { recursive: true, followLinks: false })).fd);
  send(socketFd, { say: "locked" }, copies);
}
