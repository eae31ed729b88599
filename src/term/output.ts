/**
 * What commands write: answers to standard output, all else to standard error.
 */
import { isErrno } from "../linux/error.ts";
import { writeAll } from "../linux/io.ts";

const [STDOUT, STDERR] = [1, 2] as const;

function write(fd: number, text: string): void {
  try {
    writeAll(fd, text);
  } catch (error) {
    // Whoever read it has gone: `mycontainer ps | head -1`.
    if (!isErrno(error, "EPIPE", "EIO")) throw error;
  }
}

/** A line of the answer. */
export function line(text: string): void {
  write(STDOUT, `${text}\n`);
}

/** Text of the answer, as it is. */
export function print(text: string): void {
  write(STDOUT, text);
}

/** A line on standard error, under our name. */
export function warn(text: string): void {
  write(STDERR, `mycontainer: ${text}\n`);
}

/** A line on standard error, as it is. */
export function note(text: string): void {
  write(STDERR, `${text}\n`);
}

/** Text on standard error, as it is. */
export function printError(text: string): void {
  write(STDERR, text);
}
