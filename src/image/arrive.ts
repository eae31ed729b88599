/**
 * The archive that a user names: a file, or what comes on standard input.
 */
import { Failure } from "../failure.ts";
import { attempt, isErrno } from "../linux/error.ts";
import { duplicate, type Handle, O_NONBLOCK, setNonblocking } from "../linux/fd.ts";
import { O_CREAT, O_EXCL, O_NOCTTY, O_RDONLY, O_WRONLY, openHost } from "../linux/hostpath.ts";
import { read, writeAll } from "../linux/io.ts";
import { statusOfFd } from "../linux/status.ts";
import { isTerminal } from "../linux/tty.ts";

const COPY_BYTES = 1024 * 1024;
/** As much as one call takes. */
const WHOLE = 0x7ffff000;

export interface Source {
  readonly handle: Handle;
  /** What the user knows it by. */
  readonly about: string;
}

/** Opens an archive; "-" is standard input. */
export function openSource(path: string): Source {
  if (path === "-") {
    if (isTerminal(0)) {
      throw new Failure("an archive is expected on standard input, which is a terminal", {
        hint: "name a file, or redirect: ... < image.tar",
      });
    }
    return { handle: duplicate(0), about: "standard input" };
  }
  let handle: Handle;
  try {
    // A fifo without a writer must not hold us up before it is clear what it is.
    handle = openHost(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) throw new Failure(`there is no file '${path}'`, { cause: error });
    if (isErrno(error, "EACCES")) throw new Failure(`'${path}' may not be read`, { cause: error });
    throw error;
  }
  const { type } = statusOfFd(handle.fd, path);
  if (type !== "file" && type !== "fifo" && type !== "block") {
    handle.close();
    throw new Failure(`'${path}' is a ${type}, no archive`, {
      hint: type === "directory" ? `pack it first: tar -C ${path} -c . | mycontainer import - NAME` : undefined,
    });
  }
  setNonblocking(handle.fd, false);
  return { handle, about: `'${path}'` };
}

/** Copies all that is left of a source into a new file. */
export function copyTo({ handle, about }: Source, path: string): void {
  using target = openHost(path, O_WRONLY | O_CREAT | O_EXCL);
  // Shares the blocks where the file system can, and copies in the kernel where not; other kinds of files refuse.
  for (;;) {
    const count = attempt("copy_file_range", handle.fd, null, target.fd, null, WHOLE, 0);
    if (count < 0) break;
    if (count === 0) return;
  }
  const buffer = new Uint8Array(COPY_BYTES);
  for (;;) {
    const count = read(handle.fd, buffer, about);
    if (count === 0) return;
    writeAll(target.fd, buffer.subarray(0, count), path);
  }
}
