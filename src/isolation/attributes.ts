/**
 * Attributes and propagation of a mount, by its descriptor; also on kernels that have no mount_setattr(2) yet (before 5.12).
 */
import { Failure } from "../failure.ts";
import { KernelError } from "../linux/error.ts";
import { ATTR, type AttributeChange, changeAttributes, filesystemOf, MS, mount } from "../linux/mount.ts";

const ENOSYS = 38;

/** ATTR bit -> MS bit; they are the same for these (include/uapi/linux/mount.h). */
const SAME_BITS = ATTR.rdonly | ATTR.nosuid | ATTR.nodev | ATTR.noexec;
/** statfs(2) tells them in the bits that mount(2) takes, but for these two: include/linux/statfs.h. */
const ST_RELATIME = 0x1000;
const ST_NOSYMFOLLOW = 0x2000;

/** Changes a mount, or with `recursive` it and all below it. `about` names it in errors. */
export function setAttributes(mountFd: number, about: string, change: AttributeChange): void {
  const result = changeAttributes(mountFd, change);
  if (result === 0) return;
  if (result !== -ENOSYS) throw new KernelError("mount_setattr", -result, about);
  setAttributesByRemount(mountFd, about, change);
}

/**
 * The way of older kernels: a bind remount through /proc/self/fd, which leads to the mount itself and not to a path. It reaches
 * that one mount; what is mounted below it keeps its attributes, as with every runtime on these kernels.
 */
function setAttributesByRemount(mountFd: number, about: string, change: AttributeChange): void {
  const path = `/proc/self/fd/${mountFd}`;
  const recursive = change.recursive === true ? MS.rec : 0;
  if (change.propagation !== undefined) mount("none", path, null, change.propagation | recursive);
  if ((change.set ?? 0) === 0 && (change.clear ?? 0) === 0) return;
  if (((change.set ?? 0) & ATTR.idmap) !== 0) throw new KernelError("mount_setattr", ENOSYS, about);
  const flags = remountFlags(filesystemOf(mountFd, about).flags, change);
  mount("none", path, null, MS.remount | MS.bind | flags);
}

/**
 * The flags of mount(2) for a mount that statfs(2) tells `status` of, once it is changed. A remount sets all flags anew: those
 * that the mount has are named again.
 */
export function remountFlags(status: number, { set = 0, clear = 0 }: AttributeChange): number {
  let flags = ((status & SAME_BITS & ~clear) | (set & SAME_BITS)) >>> 0;
  const has = (attribute: number, now: boolean) => (set & attribute) !== 0 || (now && (clear & attribute) === 0);
  if (has(ATTR.nodiratime, (status & MS.nodiratime) !== 0)) flags |= MS.nodiratime;
  if (has(ATTR.nosymfollow, (status & ST_NOSYMFOLLOW) !== 0)) flags |= MS.nosymfollow;
  if ((clear & ATTR.atimeMask) !== 0) return flags | atimeFlag(set & ATTR.atimeMask);
  if ((status & MS.noatime) !== 0) return flags | MS.noatime;
  return flags | ((status & ST_RELATIME) !== 0 ? MS.relatime : MS.strictatime);
}

function atimeFlag(attribute: number): number {
  return attribute === ATTR.noatime ? MS.noatime : attribute === ATTR.strictatime ? MS.strictatime : MS.relatime;
}

/** As `setAttributes`, of a mount and all below it, where nothing less will do: `rro`. Needs Linux 5.12. */
export function setAttributesBelow(mountFd: number, about: string, change: AttributeChange): void {
  const result = changeAttributes(mountFd, { ...change, recursive: true });
  if (result === -ENOSYS) {
    throw new Failure(`${about}: this kernel cannot change what is mounted below a mount`, {
      hint: "recursive options (rro, rnosuid, ...) need Linux 5.12",
    });
  }
  if (result !== 0) throw new KernelError("mount_setattr", -result, about);
}
