/**
 * Protocol Buffers' wire format, as far as criu's requests need it: varints and what has a length. Pure.
 * Source: protobuf.dev, "Encoding".
 */
import { Failure } from "../failure.ts";
import { decode as decodeText, utf8 } from "../linux/door.ts";
import { concat } from "../linux/struct.ts";

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** A field's number and value; a message in a message is its bytes. Undefined values are left out. */
export type Field = readonly [number: number, value: number | boolean | string | Uint8Array | undefined];

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  // Negative numbers of 32 bits are sent with 64, as ten bytes.
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return new Uint8Array(bytes);
}

export function encodeFields(fields: readonly Field[]): Uint8Array {
  const parts = fields.flatMap(([number, value]): Uint8Array[] => {
    if (value === undefined) return [];
    if (typeof value === "number" || typeof value === "boolean") {
      return [varint((number << 3) | VARINT), varint(Number(value))];
    }
    const bytes = typeof value === "string" ? utf8(value) : value;
    return [varint((number << 3) | LENGTH), varint(bytes.length), bytes];
  });
  return concat(...parts);
}

/** The fields of a message by number, in their order. Numbers are as 64 bits with a sign. */
export type Fields = ReadonlyMap<number, readonly (bigint | Uint8Array)[]>;

/** Throws a Failure for what is no message. */
export function decodeFields(bytes: Uint8Array): Fields {
  const fields = new Map<number, (bigint | Uint8Array)[]>();
  let at = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw new Failure("criu: an answer cannot be understood");
  };
  const take = (length: number): Uint8Array => {
    if (length < 0 || at + length > bytes.length) throw new Failure("criu: an answer ends too early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(readVarint());
    const number = key >>> 3;
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    switch (key & 7) {
      case VARINT:
        values.push(readVarint());
        break;
      case LENGTH:
        values.push(take(Number(readVarint())));
        break;
      case FIXED64:
        values.push(take(8));
        break;
      case FIXED32:
        values.push(take(4));
        break;
      default:
        throw new Failure("criu: an answer cannot be understood");
    }
  }
  return fields;
}

export function numberIn(fields: Fields, number: number): number | undefined {
  const value = fields.get(number)?.[0];
  return typeof value === "bigint" ? Number(value) : undefined;
}

export function textIn(fields: Fields, number: number): string | undefined {
  const value = fields.get(number)?.[0];
  return value instanceof Uint8Array ? decodeText(value) : undefined;
}

export function messageIn(fields: Fields, number: number): Fields | undefined {
  const value = fields.get(number)?.[0];
  return value instanceof Uint8Array ? decodeFields(value) : undefined;
}
