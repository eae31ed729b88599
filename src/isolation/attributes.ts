/**
 * Attributes and propagation of a mount, by its descriptor; also on kernels that have no mount_setattr(2) yet (before 5.12).
 */
import { KernelError } from "../linux/error.ts";
import { ATTR, type AttributeChange, changeAttributes, filesystemOf, MS, mount } from "../linux/mount.ts";

const ENOSYS = 38;

/** ATTR bit -> MS bit; they are the same for these (include/uapi/linux/mount.h). */
const SAME_BITS = ATTR.rdonly | ATTR.nosuid | ATTR.nodev | ATTR.noexec;

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
  const wanted = (change.set ?? 0) | (change.clear ?? 0);
  if (wanted === 0) return;
  if ((wanted & ~(SAME_BITS | ATTR.noatime)) !== 0) throw new KernelError("mount_setattr", ENOSYS, about);
  // A remount sets all flags anew: those that the mount has are kept (statfs(2) tells them in the same bits).
  const flags = (filesystemOf(mountFd, about).flags & SAME_BITS) | ((change.set ?? 0) & SAME_BITS);
  mount("none", path, null, MS.remount | MS.bind | (flags & ~(change.clear ?? 0)));
}
