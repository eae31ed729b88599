/**
 * Attributes and propagation of a mount, by its descriptor; also on kernels that have no mount_setattr(2) yet (before 5.12).
 */
import { Failure } from "../failure.ts";
import { KernelError } from "./error.ts";
import { readText } from "./hostpath.ts";
import { ATTR, type AttributeChange, changeAttributes, filesystemOf, MS, mount } from "./mount.ts";
import { unescapeField } from "./mountinfo.ts";
import { O_PATH, openInRoot } from "./rootpath.ts";
import { statusOfFd } from "./status.ts";

const [EINVAL, ENOSYS] = [22, 38];

/** ATTR bit -> MS bit; they are the same for these (include/uapi/linux/mount.h). */
const SAME_BITS = ATTR.rdonly | ATTR.nosuid | ATTR.nodev | ATTR.noexec;
/** statfs(2) tells them in the bits that mount(2) takes, but for these two: include/linux/statfs.h. */
const ST_RELATIME = 0x1000;
const ST_NOSYMFOLLOW = 0x2000;

/** Changes a mount, or with `recursive` it and all below it. `about` names it in errors. */
export function setAttributes(mountFd: number, about: string, change: AttributeChange): void {
  const result = changeAttributes(mountFd, change);
  if (result === 0) return;
  // Linux 5.12 and 5.13 have the call, and that attribute only for mount(2).
  const isTooNew = result === -EINVAL && (((change.set ?? 0) | (change.clear ?? 0)) & ATTR.nosymfollow) !== 0;
  if (result !== -ENOSYS && !isTooNew) throw new KernelError("mount_setattr", -result, about);
  setAttributesByRemount(mountFd, about, change);
}

/**
 * The way of older kernels: a bind remount through /proc/self/fd, which leads to the mount itself and not to a path. It reaches
 * that one mount; what is mounted below it keeps its attributes, as with every runtime on these kernels.
 */
function setAttributesByRemount(mountFd: number, about: string, change: AttributeChange): void {
  const path = `/proc/self/fd/${mountFd}`;
  const recursive = change.recursive === true ? MS.rec : 0;
  const { propagation = 0 } = change;
  if (propagation !== 0) mount("none", path, null, propagation | recursive);
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

/** As `setAttributes`, of a mount and all below it, where nothing less will do: `rro`. */
export function setAttributesBelow(mountFd: number, about: string, change: AttributeChange): void {
  const result = changeAttributes(mountFd, { ...change, recursive: true });
  if (result === 0) return;
  if (result !== -ENOSYS) throw new KernelError("mount_setattr", -result, about);
  setAttributesByRemount(mountFd, about, change);
  const { mountId } = statusOfFd(mountFd, about);
  for (const below of mountsBelow(readText("/proc/self/mountinfo"), mountId)) {
    using mount = openInRoot(mountFd, below.path, O_PATH);
    // Two mounts at one place; or what leads there was changed meanwhile.
    if (statusOfFd(mount.fd, below.path).mountId !== below.id) {
      throw new Failure(`${about}: this kernel cannot change a mount that another one covers, at '${below.path}'`, {
        hint: "Linux 5.12 can; or leave out what is mounted below",
      });
    }
    setAttributesByRemount(mount.fd, `${about}/${below.path}`, change);
  }
}

export interface MountBelow {
  readonly id: number;
  /** From where the upper mount is. */
  readonly path: string;
}

/** What is mounted below the mount `id`, by the text of /proc/PID/mountinfo: proc_pid_mountinfo(5). Pure. */
export function mountsBelow(mountinfo: string, id: number): MountBelow[] {
  const mounts = mountinfo.split("\n").flatMap((line) => {
    const [own = "", parent = "", , , point = ""] = line.split(" ", 5);
    return own === "" ? [] : [{ id: Number(own), parent: Number(parent), point: unescapeField(point) }];
  });
  const top = mounts.find((mount) => mount.id === id);
  if (top === undefined) return [];
  const start = top.point === "/" ? 1 : top.point.length + 1;
  const childrenOf = (parent: number): MountBelow[] =>
    mounts
      .filter((mount) => mount.parent === parent && mount.id !== parent)
      .flatMap((mount) => [{ id: mount.id, path: mount.point.slice(start) }, ...childrenOf(mount.id)]);
  return childrenOf(id);
}
