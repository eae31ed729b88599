/**
 * Reading and writing by descriptor.
 */
import { decode, utf8 } from "./door.ts";
import { attempt, call } from "./error.ts";
import { Handle } from "./fd.ts";

const O_CLOEXEC = 0o2000000;
/** Most files that are read are smaller: those of /proc, records. */
const CHUNK_BYTES = 4 * 1024;
/** More than any file that is read whole here may have. */
export const WHOLE_FILE_LIMIT_BYTES = 16 * 1024 * 1024;

/** Reads once into a buffer; the number of bytes, 0 at the end. */
export function read(fd: number, into: Uint8Array, about = ""): number {
  return call("read", about, fd, into, into.length);
}

/** Reads to the end. Throws a RangeError past `limitBytes`. */
export function readAll(fd: number, about = "", limitBytes: number = WHOLE_FILE_LIMIT_BYTES): Uint8Array {
  let whole: Uint8Array = new Uint8Array(CHUNK_BYTES);
  let length = 0;
  for (;;) {
    if (length === whole.length) {
      if (length >= limitBytes) throw new RangeError(`${about} is larger than ${limitBytes} bytes`);
      const larger = new Uint8Array(whole.length * 4);
      larger.set(whole);
      whole = larger;
    }
    const count = read(fd, whole.subarray(length), about);
    if (count === 0) return whole.subarray(0, length);
    length += count;
  }
}

export function readAllText(fd: number, about = "", limitBytes: number = WHOLE_FILE_LIMIT_BYTES): string {
  return decode(readAll(fd, about, limitBytes));
}

/** Writes all of it, however many calls that takes. */
export function writeAll(fd: number, data: Uint8Array | string, about = ""): void {
  let rest = typeof data === "string" ? utf8(data) : data;
  while (rest.length > 0) rest = rest.subarray(call("write", about, fd, rest, rest.length));
}

/** As `writeAll`, in exactly one call: for kernel files, where a write is one request. Returns 0 or `-errno`. */
export function writeOnce(fd: number, data: string): number {
  const bytes = utf8(data);
  const result = attempt("write", fd, bytes, bytes.length);
  return result < 0 ? result : 0;
}

/** A pipe: `[readable, writable]`. */
export function pipe(): [Handle, Handle] {
  const pair = new Int32Array(2);
  call("pipe2", "", pair, O_CLOEXEC);
  const [readable = -1, writable = -1] = pair;
  return [new Handle(readable), new Handle(writable)];
}

export function fsync(fd: number, about = ""): void {
  call("fsync", about, fd);
}
