/**
 * Kernel structs: declared once, encoded and decoded by their declaration.
 *
 *     const timespec = struct({ seconds: "i64", nanoseconds: "i64" });
 *     timespec.encode({ seconds: 1 })            // fields left out are 0
 *     timespec.decode(bytes).seconds
 *
 * Fields lie where C would put them: each aligned to its size, the whole padded to the largest alignment.
 * Both architectures are little endian. 64-bit fields are numbers and must be safe integers; the kinds `big64` keep all bits.
 */
type Kind = "u8" | "u16" | "u32" | "i32" | "u64" | "i64" | "big64";

const SIZE: Record<Kind, number> = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8, big64: 8 };

const U32_MAX = 0xffffffff;

type Value<K extends Kind> = K extends "big64" ? bigint : number;
type Values<F extends Record<string, Kind>> = { [Name in keyof F]: Value<F[Name]> };

interface Field {
  readonly kind: Kind;
  /** Bytes from the start of the struct. */
  readonly at: number;
}

export interface Struct<F extends Record<string, Kind>> {
  readonly size: number;
  encode(values: Partial<Values<F>>, into?: Uint8Array): Uint8Array;
  decode(bytes: Uint8Array, at?: number): Values<F>;
}

function put(view: DataView, at: number, kind: Kind, value: number | bigint): void {
  switch (kind) {
    case "u8":
      return view.setUint8(at, Number(value));
    case "u16":
      return view.setUint16(at, Number(value), true);
    case "u32":
      return view.setUint32(at, Number(value), true);
    case "i32":
      return view.setInt32(at, Number(value), true);
    default:
      // Most values are small: no BigInt is made for them.
      if (typeof value === "bigint" || value < 0 || value > U32_MAX) return view.setBigInt64(at, BigInt(value), true);
      view.setUint32(at, value, true);
      return view.setUint32(at + 4, 0, true);
  }
}

function get(view: DataView, at: number, kind: Kind): number | bigint {
  switch (kind) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "u64":
      return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    case "i64":
      return Number(view.getBigInt64(at, true));
    case "big64":
      return view.getBigUint64(at, true);
  }
}

export function struct<const F extends Record<string, Kind>>(fields: F): Struct<F> {
  let size = 0;
  let alignment = 1;
  const placed: Record<string, Field> = {};
  for (const name in fields) {
    const kind = fields[name] as Kind;
    const width = SIZE[kind];
    size = Math.ceil(size / width) * width;
    placed[name] = { kind, at: size };
    size += width;
    alignment = Math.max(alignment, width);
  }
  size = Math.ceil(size / alignment) * alignment;
  return {
    size,
    encode(values, into = new Uint8Array(size)) {
      const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
      for (const name in values) {
        const value = values[name];
        const field = placed[name];
        if (value !== undefined && field !== undefined) put(view, field.at, field.kind, value);
      }
      return into;
    },
    decode(bytes, at = 0) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const values: Record<string, number | bigint> = {};
      for (const name in placed) {
        const field = placed[name] as Field;
        values[name] = get(view, at + field.at, field.kind);
      }
      return values as Values<F>;
    },
  };
}

/** One buffer after another. */
export function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
