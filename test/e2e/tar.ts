/**
 * A writer of tar archives that also writes what no honest writer would.
 */
const BLOCK = 512;

export type TarEntry = {
  name: string;
  /** The type's letter: "0" file, "1" hard link, "2" symbolic link, "3" character, "4" block, "5" directory, "6" fifo, ... */
  type?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  link?: string;
  data?: Buffer | string;
  /** What the header says instead of the data's length. */
  size?: number;
  device?: [major: number, minor: number];
  /** Attributes in a pax header before the entry. */
  pax?: Record<string, string | Buffer>;
  /** Bytes of the header that are put where they are said to be, before the sum is made. */
  raw?: [at: number, bytes: Buffer | string][];
  /** What the header has instead of the right sum. */
  checksum?: number;
};

const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, "0")}\0`;

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number, width: number) => block.write(text.slice(0, width), at, "latin1");
  put(Buffer.from(entry.name).toString("latin1"), 0, 100);
  put(octal(entry.mode ?? 0o644, 8), 100, 8);
  put(octal(entry.uid ?? 0, 8), 108, 8);
  put(octal(entry.gid ?? 0, 8), 116, 8);
  put(octal(entry.size ?? size, 12), 124, 12);
  put(octal(entry.mtime ?? 0, 12), 136, 12);
  put(" ".repeat(8), 148, 8);
  put(entry.type ?? "0", 156, 1);
  put(entry.link ?? "", 157, 100);
  put("ustar\x0000", 257, 8);
  if (entry.device !== undefined) {
    put(octal(entry.device[0], 8), 329, 8);
    put(octal(entry.device[1], 8), 337, 8);
  }
  for (const [at, bytes] of entry.raw ?? []) Buffer.from(bytes as Buffer).copy(block, at);
  const sum = entry.checksum ?? block.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

const padded = (data: Buffer) => Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK)]);

/** A pax record: its length counts itself. */
export function paxRecord(key: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = body.length + 1;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** One entry with its data, and the pax header before it. */
export function tarEntry(entry: TarEntry): Buffer {
  const data = Buffer.from(entry.data ?? "");
  const parts = [header(entry, data.length), padded(data)];
  if (entry.pax !== undefined) {
    const records = Buffer.concat(Object.entries(entry.pax).map(([key, value]) => paxRecord(key, value)));
    parts.unshift(header({ name: "PaxHeader", type: "x" }, records.length), padded(records));
  }
  return Buffer.concat(parts);
}

export const TAR_END = Buffer.alloc(2 * BLOCK);

/** An archive of these entries, with its end marker. */
export function tar(...entries: (TarEntry | Buffer)[]): Buffer {
  return Buffer.concat([...entries.map((entry) => (Buffer.isBuffer(entry) ? entry : tarEntry(entry))), TAR_END]);
}
