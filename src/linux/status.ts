/**
 * What the kernel says of a file: statx(2), inode(7).
 */
import { call } from "./error.ts";

export const STATX_BYTES = 256;
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

export interface FileStatus {
  readonly type: FileType;
  /** Permission bits with set-id and sticky: 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly inode: number;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly modified: number;
  /** Beside those seconds. */
  readonly modifiedNanoseconds: number;
  /** What a device node stands for. */
  readonly device: { readonly major: number; readonly minor: number };
  /** The file system that the file lies on. */
  readonly on: { readonly major: number; readonly minor: number };
  readonly mountId: number;
  /** Whether a mount begins here (kernels since 5.8 tell). */
  readonly isMountRoot: boolean;
}

/** Decodes `struct statx` (include/uapi/linux/stat.h). */
export function parseStatx(buffer: Uint8Array): FileStatus {
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset, STATX_BYTES / 4);
  const u32 = (at: number) => words[at >> 2] ?? 0;
  const u64 = (at: number) => u32(at) + u32(at + 4) * 2 ** 32;
  const mode = u32(28) & 0xffff;
  return {
    type: TYPES[mode & TYPE_MASK] ?? "unknown",
    mode: mode & 0o7777,
    links: u32(16),
    uid: u32(20),
    gid: u32(24),
    inode: u64(32),
    sizeBytes: u64(40),
    // Signed: there are files from before 1970.
    modified: (u32(116) | 0) * 2 ** 32 + u32(112),
    modifiedNanoseconds: u32(120),
    device: { major: u32(128), minor: u32(132) },
    on: { major: u32(136), minor: u32(140) },
    mountId: u64(144),
    isMountRoot: (u32(8) & STATX_ATTR_MOUNT_ROOT) !== 0,
  };
}

/** What statx(2) says of an open descriptor. */
export function statusOfFd(fd: number, about = ""): FileStatus {
  const buffer = new Uint8Array(STATX_BYTES);
  call("statx", about, fd, "", AT_EMPTY_PATH, STATX_WANTED, buffer);
  return parseStatx(buffer);
}

const BLOCK_BYTES = 512;

/** As `statusOfFd`, with what the file takes on its file system. */
export function statusWithUsage(fd: number, about = ""): FileStatus & { readonly allocatedBytes: number } {
  const buffer = new Uint8Array(STATX_BYTES);
  call("statx", about, fd, "", AT_EMPTY_PATH, STATX_WANTED, buffer);
  const blocks = Number(new DataView(buffer.buffer).getBigUint64(48, true));
  return { ...parseStatx(buffer), allocatedBytes: blocks * BLOCK_BYTES };
}
