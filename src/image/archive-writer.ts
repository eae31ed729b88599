/**
 * Writes a tar archive to a descriptor. Files are copied by the kernel: their bytes do not pass through this process.
 */
import { utf8 } from "../linux/door.ts";
import { attempt, KernelError } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { read, writeAll } from "../linux/io.ts";
import { endOfArchive, entryHeader, paddingAfter } from "./tar-header.ts";

/** As much as one call takes. */
const WHOLE = 0x7ffff000;
const COPY_BYTES = 1024 * 1024;
const [EBADF, EINVAL] = [9, 22];

/** An open file that has to be as long as it was when it was measured. */
export interface OpenFile {
  readonly handle: Handle;
  readonly sizeBytes: number;
  readonly about: string;
}

export class ArchiveWriter {
  readonly #fd: number;
  readonly #about: string;

  /** @param about what the user knows the archive by */
  constructor(fd: number, about: string) {
    this.#fd = fd;
    this.#about = about;
  }

  #write(data: Uint8Array): void {
    writeAll(this.#fd, data, this.#about);
  }

  directory(name: string): void {
    this.#write(entryHeader({ name: `${name}/`, kind: "directory", sizeBytes: 0 }));
  }

  text(name: string, text: string): void {
    const data = utf8(text);
    this.#write(entryHeader({ name, kind: "file", sizeBytes: data.length }));
    this.#write(data);
    this.#write(paddingAfter(data.length));
  }

  file(name: string, file: OpenFile): void {
    this.#write(entryHeader({ name, kind: "file", sizeBytes: file.sizeBytes }));
    this.#copy(file);
    this.#write(paddingAfter(file.sizeBytes));
  }

  end(): void {
    this.#write(endOfArchive());
  }

  #copy({ handle, sizeBytes, about }: OpenFile): void {
    let left = sizeBytes;
    while (left > 0) {
      const count = attempt("sendfile", this.#fd, handle.fd, null, Math.min(left, WHOLE));
      // What is opened to be appended to takes no part in it: sendfile(2).
      if (count === -EINVAL || count === -EBADF) break;
      if (count < 0) throw new KernelError("sendfile", -count, this.#about);
      if (count === 0) throw cutOff(about);
      left -= count;
    }
    const buffer = left === 0 ? new Uint8Array(0) : new Uint8Array(Math.min(left, COPY_BYTES));
    while (left > 0) {
      const count = read(handle.fd, buffer.subarray(0, Math.min(left, buffer.length)), about);
      if (count === 0) throw cutOff(about);
      this.#write(buffer.subarray(0, count));
      left -= count;
    }
  }
}

/** Blobs are never written to where they lie: something else has cut it off. */
function cutOff(about: string): Error {
  return new Error(`${about} became shorter while it was read`);
}
