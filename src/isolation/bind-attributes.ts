/**
 * What a bind mount's attributes are to be: those that its options name, and no others, as with runc. That the source is
 * `nosuid` or read-only says nothing about the mount in the container, if its options say anything. In a user namespace it
 * does: whoever made the source so has not handed over the right to change it (mount_namespaces(7), "Restrictions on mount
 * namespaces").
 */
import { Failure } from "../failure.ts";
import { setAttributes, setAttributesBelow } from "../linux/attributes.ts";
import type { Handle } from "../linux/fd.ts";
import { ATTR, type AttributeChange, filesystemOf, MS } from "../linux/mount.ts";
import type { BindStep } from "./root-steps.ts";

/** Those that the kernel locks; statfs(2) tells them in the same bits. */
const LOCKABLE = ATTR.rdonly | ATTR.nosuid | ATTR.nodev | ATTR.noexec;
/** Told by statfs(2) otherwise than set by mount(2): include/linux/statfs.h. */
const ST_RELATIME = 0x1000;

type Asked = Pick<BindStep, "set" | "clear" | "replaces" | "namesAtime">;

/** The access time of a mount that statfs(2) tells `status` of, in ATTR bits. */
function atimeOf(status: number): number {
  const kind = (status & MS.noatime) !== 0 ? ATTR.noatime : (status & ST_RELATIME) !== 0 ? 0 : ATTR.strictatime;
  return kind | ((status & MS.nodiratime) !== 0 ? ATTR.nodiratime : 0);
}

export interface Decision {
  readonly change: Pick<AttributeChange, "set" | "clear">;
  /** Attributes that would have to be taken from a source whose owner has not allowed it. */
  readonly refused: number;
}

/** @param status the flags of the source, from statfs(2). Pure. */
export function decideAttributes({ set, clear, replaces, namesAtime }: Asked, status: number): Decision {
  if (replaces === undefined) return { change: { set, clear }, refused: 0 };
  // Without a wish for another the access time stays as it is, whatever is taken back: mount(8) does so, too.
  const atime = namesAtime === true ? (ATTR.atimeMask | ATTR.nodiratime) & ~(set & ATTR.nodiratime) : 0;
  if (replaces === "all") return { change: { set, clear: ((LOCKABLE | ATTR.nosymfollow) & ~set) | atime }, refused: 0 };
  const wantsOther = namesAtime === true && atimeOf(status) !== (set & (ATTR.atimeMask | ATTR.nodiratime));
  return {
    change: { set, clear: (ATTR.nosymfollow & ~set) | atime },
    refused: (clear & status & LOCKABLE) | (wantsOther ? ATTR.atimeMask : 0),
  };
}

/** Gives an attached bind mount the attributes and the propagation of its step. */
export function finishBind(mount: Handle, step: BindStep): void {
  const { target, propagation, recursiveSet, recursiveClear } = step;
  // A mount without others below it, as most are, is done with in one call.
  if (!step.recursive && recursiveSet === 0 && recursiveClear === 0) {
    setAttributes(mount.fd, target, { ...permittedChange(mount, step), propagation });
    return;
  }
  propagate(mount, step);
  changeAll(mount, step);
}

/**
 * As `finishBind`, the first part of it: what is to be locked in a user namespace, before it is. Options that take attributes
 * back from what is mounted below are for later, when the kernel knows which it may.
 */
export function finishUnlocked(mount: Handle, step: BindStep): void {
  if (step.recursiveClear === 0) changeAll(mount, step);
}

/** The rest of it, after `finishUnlocked`. */
export function finishLocked(mount: Handle, step: BindStep): void {
  propagate(mount, step);
  if (step.recursiveClear !== 0) changeAll(mount, step);
}

function propagate(mount: Handle, { target, propagation, propagationRecursive }: BindStep): void {
  setAttributes(mount.fd, target, { propagation, recursive: propagationRecursive });
}

function changeAll(mount: Handle, step: BindStep): void {
  const { target, recursiveSet, recursiveClear } = step;
  const { set = 0, clear = 0 } = permittedChange(mount, step);
  if (recursiveSet !== 0 || recursiveClear !== 0) {
    setAttributesBelow(mount.fd, target, { set: recursiveSet, clear: recursiveClear });
  }
  if (set !== 0 || clear !== 0) setAttributes(mount.fd, target, { set, clear });
}

/** Throws a Failure for what the source's owner has not allowed. */
function permittedChange(mount: Handle, step: BindStep): Decision["change"] {
  const status = () => filesystemOf(mount.fd, step.source).flags;
  const { change, refused } = decideAttributes(step, step.replaces === "unlocked" ? status() : 0);
  if (refused === 0) return change;
  if (refused === ATTR.rdonly) {
    // Of a file system that is read-only itself, the mount may say what it wants. Where it is the mount, it is given up below.
    setAttributes(mount.fd, step.target, { clear: ATTR.rdonly });
    if ((status() & ATTR.rdonly) !== 0) return change;
  }
  throw new Failure(
    `unable to start container process: error during container init: error mounting ${JSON.stringify(step.source)} to rootfs at ` +
      `${JSON.stringify(step.target)}: its flags are locked in a user namespace: operation not permitted`,
    { hint: "leave out options that take back what the source has: rw, suid, dev, exec, or another access time" },
  );
}
