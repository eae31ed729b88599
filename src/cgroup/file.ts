/**
 * Files of cgroups: small requests, and answers of one number or of `key value` lines.
 */
import { attempt, isErrno } from "../linux/error.ts";
import { AT_FDCWD, Handle } from "../linux/fd.ts";
import { O_CLOEXEC, O_WRONLY, readText } from "../linux/hostpath.ts";
import { writeOnce } from "../linux/io.ts";

/** Opens and writes. Returns 0 or `-errno`. */
export function tryWrite(path: string, value: string): number {
  const fd = attempt("openat", AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  using file = new Handle(fd);
  return writeOnce(file.fd, value);
}

/** The file's text; undefined where the kernel does not have it, or the cgroup is gone (or going: ENODEV). */
export function readIfAlive(file: string): string | undefined {
  try {
    return readText(file);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV", "EOPNOTSUPP")) return undefined;
    throw error;
  }
}

/** The number of a key in `key value` lines (`cgroup.events`, `memory.stat`); undefined if there is none. */
export function numberOf(text: string | undefined, key: string): number | undefined {
  for (const line of (text ?? "").split("\n"))
    if (line.startsWith(`${key} `)) return Number(line.slice(key.length + 1));
  return undefined;
}
