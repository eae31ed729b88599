/**
 * What the kernel says of a file: statx(2), inode(7).
 */
import { call } from "./error.ts";

/** `struct statx` in 32-bit words. */
const STATX_WORDS = 64;
const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
export const STATX_WANTED = STATX_BASIC_STATS | STATX_MNT_ID;
const STATX_ATTR_MOUNT_ROOT = 0x2000;
const AT_EMPTY_PATH = 0x1000;

const TYPE_MASK = 0o170000;
const TYPES: Readonly<Record<number, FileType>> = {
  0o010000: "fifo",
  0o020000: "character",
  0o040000: "directory",
  0o060000: "block",
  0o100000: "file",
  0o120000: "link",
  0o140000: "socket",
};

export type FileType = "fifo" | "character" | "directory" | "block" | "file" | "link" | "socket" | "unknown";

export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

export interface FileStatus {
  readonly type: FileType;
  /** Permission bits with set-id and sticky: 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly inode: number;
  readonly sizeBytes: number;
  /** What the file takes on its file system. */
  readonly allocatedBytes: number;
  /** Seconds since 1970. */
  readonly modified: number;
  /** Beside those seconds. */
  readonly modifiedNanoseconds: number;
  /** What a device node stands for. */
  readonly device: DeviceNumber;
  /** The file system that the file lies on. */
  readonly on: DeviceNumber;
  readonly mountId: number;
  /** Whether a mount begins here (kernels since 5.8 tell). */
  readonly isMountRoot: boolean;
}

/** What statx(2) writes into, for `parseStatx`. */
export const statxWords = (): Uint32Array => new Uint32Array(STATX_WORDS);

const UPPER = 2 ** 32;
const BLOCK_BYTES = 512;

/** `struct statx` (include/uapi/linux/stat.h), by the numbers of its words. Of a status most callers want one field or two. */
class Statx implements FileStatus {
  readonly #words: Uint32Array;

  constructor(words: Uint32Array) {
    this.#words = words;
  }

  get type(): FileType {
    return TYPES[(this.#words[7] ?? 0) & TYPE_MASK] ?? "unknown";
  }
  get mode(): number {
    return (this.#words[7] ?? 0) & 0o7777;
  }
  get links(): number {
    return this.#words[4] ?? 0;
  }
  get uid(): number {
    return this.#words[5] ?? 0;
  }
  get gid(): number {
    return this.#words[6] ?? 0;
  }
  get inode(): number {
    return wide(this.#words, 8);
  }
  get sizeBytes(): number {
    return wide(this.#words, 10);
  }
  get allocatedBytes(): number {
    return wide(this.#words, 12) * BLOCK_BYTES;
  }
  get modified(): number {
    // Signed: there are files from before 1970.
    return ((this.#words[29] ?? 0) | 0) * UPPER + (this.#words[28] ?? 0);
  }
  get modifiedNanoseconds(): number {
    return this.#words[30] ?? 0;
  }
  get device(): DeviceNumber {
    return { major: this.#words[32] ?? 0, minor: this.#words[33] ?? 0 };
  }
  get on(): DeviceNumber {
    return { major: this.#words[34] ?? 0, minor: this.#words[35] ?? 0 };
  }
  get mountId(): number {
    return wide(this.#words, 36);
  }
  get isMountRoot(): boolean {
    return ((this.#words[2] ?? 0) & STATX_ATTR_MOUNT_ROOT) !== 0;
  }
}

/** What statx(2) has written. */
export function parseStatx(words: Uint32Array): FileStatus {
  return new Statx(words);
}

function wide(words: Uint32Array, at: number): number {
  return (words[at] ?? 0) + (words[at + 1] ?? 0) * UPPER;
}

/** What statx(2) says of an open descriptor. */
export function statusOfFd(fd: number, about = ""): FileStatus {
  const words = statxWords();
  call("statx", about, fd, "", AT_EMPTY_PATH, STATX_WANTED, words);
  return parseStatx(words);
}
