/**
 * What an open directory has: getdents64(2).
 */
import { cString } from "./door.ts";
import { call } from "./error.ts";

const DIRECTORY_BUFFER_BYTES = 32 * 1024;

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly isLink: boolean;
}

const DT_DIR = 4;
const DT_LNK = 10;

/** The entries of an open directory, without `.` and `..`, in the kernel's order (getdents64(2)). */
export function entriesOf(fd: number, about = ""): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const buffer = new Uint8Array(DIRECTORY_BUFFER_BYTES);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const length = call("getdents64", about, fd, buffer, buffer.length);
    if (length === 0) return entries;
    for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
      const name = cString(buffer, at + 19);
      const type = view.getUint8(at + 18);
      if (name !== "." && name !== "..") entries.push({ name, isDirectory: type === DT_DIR, isLink: type === DT_LNK });
    }
  }
}
