/**
 * Headers of tar archives: POSIX.1-2001 (pax), whose blocks are those of ustar where they suffice. Pure. The same entries make
 * the same bytes: no times, no owners.
 */
import { utf8 } from "../linux/door.ts";
import { concat } from "../linux/struct.ts";

export const BLOCK_BYTES = 512;
/** What ustar's field of eleven octal digits holds; larger sizes are told by a pax header. */
const USTAR_SIZE_LIMIT_BYTES = 8 ** 11;
const USTAR_NAME_LIMIT_BYTES = 100;
/** How a pax header is called for readers that do not know it. */
const PAX_NAME = "PaxHeader";

/** Where fields are in a header: pax(1), "ustar Interchange Format". */
const FIELD = {
  name: [0, USTAR_NAME_LIMIT_BYTES],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
} as const;

const MODE = { file: 0o644, directory: 0o755 } as const;
const TYPE = { file: "0", directory: "5", pax: "x" } as const;

export interface TarEntry {
  /** A directory's ends with a slash. */
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly sizeBytes: number;
}

function octal(value: number, width: number): string {
  return value.toString(8).padStart(width - 1, "0");
}

function block(name: Uint8Array, type: string, mode: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  const put = ([at, width]: readonly [number, number], text: string): void => {
    bytes.set(utf8(text).subarray(0, width), at);
  };
  bytes.set(name.subarray(0, USTAR_NAME_LIMIT_BYTES), FIELD.name[0]);
  for (const [field, value] of [
    [FIELD.mode, mode],
    [FIELD.uid, 0],
    [FIELD.gid, 0],
    [FIELD.size, sizeBytes],
    [FIELD.modified, 0],
  ] as const) {
    put(field, octal(value, field[1]));
  }
  put(FIELD.type, type);
  put(FIELD.magic, "ustar\x0000");
  // The sum of all bytes, with blanks in place of the sum.
  put(FIELD.checksum, " ".repeat(FIELD.checksum[1]));
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(FIELD.checksum, `${octal(sum, 7)}\0 `);
  return bytes;
}

/** `12 size=1000\n`: the length counts its own digits. */
export function paxRecord(key: string, value: string): Uint8Array {
  const body = utf8(` ${key}=${value}\n`);
  let length = body.length + 1;
  while (`${length}`.length + body.length !== length) length = `${length}`.length + body.length;
  return concat(utf8(`${length}`), body);
}

/** The zeros that fill the last block of a file. */
export function paddingAfter(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** What comes before the bytes of an entry: its header, and before that a pax header if it is too large for one of ustar. */
export function entryHeader({ name, kind, sizeBytes }: TarEntry): Uint8Array {
  const path = utf8(name);
  const isLong = path.length > USTAR_NAME_LIMIT_BYTES;
  const isLarge = sizeBytes >= USTAR_SIZE_LIMIT_BYTES;
  const header = block(path, TYPE[kind], MODE[kind], isLarge ? 0 : sizeBytes);
  if (!isLong && !isLarge) return header;
  const records = concat(
    ...(isLong ? [paxRecord("path", name)] : []),
    ...(isLarge ? [paxRecord("size", `${sizeBytes}`)] : []),
  );
  const extended = block(utf8(PAX_NAME), TYPE.pax, MODE.file, records.length);
  return concat(extended, records, paddingAfter(records.length), header);
}

/** The end of an archive: two blocks of zeros. */
export function endOfArchive(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}
