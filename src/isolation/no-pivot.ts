/**
 * `--no-pivot`: a root without pivot_root(2), which cannot leave the RAM disk that a machine has booted from (pivot_root(2), ERRORS,
 * EINVAL). The old root stays mounted below the new one. Whoever may call chroot(2) in the container can get back to it.
 */
import { attempt, call } from "../linux/error.ts";
import { readText } from "../linux/hostpath.ts";
import { MNT_DETACH, MS, mount } from "../linux/mount.ts";
import { unescapeField } from "../linux/mountinfo.ts";

/** What a process that gets back must not find: kernel interfaces that are masked in the container's own. */
const DANGEROUS_TYPES = new Set(["proc", "sysfs"]);

/** Where file systems of these types are mounted, the deepest first, as in the text of /proc/PID/mountinfo. Pure. */
export function dangerousMounts(mountinfo: string): string[] {
  return mountinfo
    .split("\n")
    .flatMap((line) => {
      const [before = "", behind = ""] = line.split(" - ");
      const path = before.split(" ")[4];
      const type = behind.split(" ", 1)[0] ?? "";
      return path !== undefined && DANGEROUS_TYPES.has(type) ? [unescapeField(path)] : [];
    })
    .reverse();
}

/** Where they are mounted here: to be asked before the container's root is attached upon them. */
export function findDangerousMounts(): string[] {
  return dangerousMounts(readText("/proc/self/mountinfo"));
}

/** Does away with a mount. One that came from a mount namespace of another owner can only be covered: mount_namespaces(7). */
export function removeMount(path: string): void {
  if (attempt("umount2", path, MNT_DETACH) === 0) return;
  mount("tmpfs", path, "tmpfs", MS.nosuid | MS.nodev | MS.noexec);
}

/** Makes the tree below `rootFd`, a mount that is attached at `path`, the root of this process. */
export function moveTo(rootFd: number, path: string): void {
  call("fchdir", "/", rootFd);
  // What is attached at / lies on the old root already.
  if (path !== "/") mount(".", "/", null, MS.move);
  call("chroot", ".", ".");
  call("chdir", "/", "/");
}
