/**
 * Reads the accounts of a container's root, which may be anything: a link to the host's, a pipe, a device, endless.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import { type Handle, O_NONBLOCK } from "../linux/fd.ts";
import { readAllText } from "../linux/io.ts";
import { O_PATH, openInRoot, openInRootIfThere } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import type { Accounts } from "./users.ts";

const O_RDONLY = 0;
const O_NOCTTY = 0o400;
export const ACCOUNTS_LIMIT_BYTES = 16 * 1024 * 1024;

/** What is missing is empty. Throws a Failure for what is not a regular file, or too large. */
export function readAccounts(rootFd: number): Accounts {
  return { passwd: readAccountFile(rootFd, "/etc/passwd"), group: readAccountFile(rootFd, "/etc/group") };
}

function readAccountFile(rootFd: number, path: string): string {
  try {
    // By O_PATH nothing is opened: a pipe does not block, and a device does not start.
    using found = openInRootIfThere(rootFd, path, O_PATH);
    if (found === undefined) return "";
    const status = checked(found, path);
    using file = openInRoot(rootFd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const opened = checked(file, path);
    if (opened.inode !== status.inode) throw new Failure(`the image's ${path} was replaced while it was read`);
    return readAllText(file.fd, path, ACCOUNTS_LIMIT_BYTES);
  } catch (error) {
    if (isErrno(error, "ELOOP"))
      throw new Failure(`the image's ${path} is a link that leads nowhere`, { cause: error });
    if (error instanceof RangeError) throw tooLarge(path);
    throw error;
  }
}

function checked(file: Handle, path: string): FileStatus {
  const status = statusOfFd(file.fd, path);
  if (status.type !== "file") throw new Failure(`the image's ${path} is not a regular file but a ${status.type}`);
  if (status.sizeBytes > ACCOUNTS_LIMIT_BYTES) throw tooLarge(path);
  return status;
}

function tooLarge(path: string): Failure {
  return new Failure(`the image's ${path} is larger than ${ACCOUNTS_LIMIT_BYTES / 1024 / 1024} MiB`);
}
