/**
 * SHA-256 (FIPS 180-4) of what is small: manifests, and the chains of layers' ids. Archives are hashed by the codec.
 */
import { utf8 } from "../linux/door.ts";

const ROUNDS = 64;
const BLOCK_BYTES = 64;
const LENGTH_AT = 56;

/** The first 32 bits of the fractional part of a number. */
function fraction(value: number): number {
  return ((value - Math.floor(value)) * 0x1_0000_0000) | 0;
}

/** The constants: of the cube and square roots of the first primes. */
function constants(): { k: Int32Array; start: Int32Array } {
  const k = new Int32Array(ROUNDS);
  const start = new Int32Array(8);
  for (let candidate = 2, found = 0; found < ROUNDS; candidate++) {
    let isPrime = true;
    for (let factor = 2; factor * factor <= candidate; factor++) isPrime &&= candidate % factor !== 0;
    if (!isPrime) continue;
    if (found < 8) start[found] = fraction(Math.sqrt(candidate));
    k[found++] = fraction(Math.cbrt(candidate));
  }
  return { k, start };
}

let table: ReturnType<typeof constants> | undefined;

const rotate = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** One block into the state. */
function compress(state: Int32Array, view: DataView, at: number, k: Int32Array, w: Int32Array): void {
  const word = (index: number): number => w[index] ?? 0;
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + i * 4);
  for (let i = 16; i < ROUNDS; i++) {
    const [early, late] = [word(i - 15), word(i - 2)];
    const s0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const s1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    w[i] = word(i - 16) + s0 + word(i - 7) + s1;
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < ROUNDS; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (k[i] ?? 0) + word(i)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, index) => {
    state[index] = (state[index] ?? 0) + value;
  });
}

/** The digest of a text's bytes in UTF-8: `sha256:` and 64 hexadecimal digits. */
export function digestOf(text: string): string {
  table ??= constants();
  const bytes = utf8(text);
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK_BYTES) * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - BLOCK_BYTES + LENGTH_AT, BigInt(bytes.length) * 8n);
  const state = table.start.slice();
  const w = new Int32Array(ROUNDS);
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) compress(state, view, at, table.k, w);
  return `sha256:${Array.from(state, (value) => (value >>> 0).toString(16).padStart(8, "0")).join("")}`;
}
