/**
 * Writing to /proc of this process without trusting what is mounted on /proc: a procfs of our own, attached nowhere
 * (security: CVE-2019-16884 and kin, where writes went to files that only looked like those of the kernel).
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { writeAll } from "../linux/io.ts";
import { ATTR, createDetached, openFilesystem } from "../linux/mount.ts";
import { getpid } from "../linux/process.ts";
import { openBeneath } from "../linux/rootpath.ts";

const O_WRONLY = 1;

/** A new procfs of the caller's PID namespace. */
export function openProcfs(): Handle {
  using context = openFilesystem("proc");
  return createDetached(context.fd, "procfs", ATTR.nosuid | ATTR.nodev | ATTR.noexec);
}

function write(procfs: Handle, path: string, value: string): void {
  using file = openBeneath(procfs.fd, path, O_WRONLY);
  writeAll(file.fd, value, `/proc/${path}`);
}

/** Writes to a file of this process's own directory: `oom_score_adj`, `attr/exec`. */
export function writeOwn(procfs: Handle, file: string, value: string): void {
  write(procfs, `${getpid()}/${file}`, value);
}

/** Sets a kernel parameter of the namespaces that this process is in: `net.ipv4.ip_forward`. */
export function setSysctl(procfs: Handle, name: string, value: string): void {
  // Names with dots in a part (an interface's) are written with slashes: sysctl(8).
  const path = name.includes("/") ? name : name.replaceAll(".", "/");
  try {
    write(procfs, `sys/${path}`, value);
  } catch (error) {
    if (isErrno(error, "ENOENT")) {
      throw new Failure(`this kernel has no parameter '${name}'`, {
        hint: "'sysctl -a' lists those it has",
        cause: error,
      });
    }
    if (isErrno(error, "EINVAL", "ERANGE")) {
      throw new Failure(`the kernel refuses '${value}' as value of '${name}'`, { cause: error });
    }
    throw error;
  }
}
