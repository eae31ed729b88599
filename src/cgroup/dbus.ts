/**
 * Messages of D-Bus, as far as systemd is asked for cgroups: D-Bus Specification, "Marshaling (Wire Format)" and "Message
 * Protocol". Always little endian, as both architectures are. Pure.
 *
 * Values go by their signature: numbers for `y n q i u d`, BigInts for `x t`, strings for `s o g`, booleans for `b`, arrays for `a`
 * and structs, pairs in arrays for dictionaries, and `{ signature, value }` for variants.
 */
import { Failure } from "../failure.ts";
import { decode as decodeText, utf8 } from "../linux/door.ts";

export interface Variant {
  readonly signature: string;
  readonly value: Value;
}
export type Value = number | bigint | string | boolean | readonly Value[] | Variant;

export const TYPE = { call: 1, reply: 2, error: 3, signal: 4 } as const;
/** By number: "Header Fields". */
const FIELD = {
  path: 1,
  interface: 2,
  member: 3,
  error: 4,
  replySerial: 5,
  destination: 6,
  sender: 7,
  signature: 8,
} as const;
const FIELD_SIGNATURES: Readonly<Record<number, string>> = {
  [FIELD.path]: "o",
  [FIELD.interface]: "s",
  [FIELD.member]: "s",
  [FIELD.error]: "s",
  [FIELD.replySerial]: "u",
  [FIELD.destination]: "s",
  [FIELD.sender]: "s",
  [FIELD.signature]: "g",
};
const LITTLE_ENDIAN = 0x6c;
const PROTOCOL_VERSION = 1;
export const FIXED_HEADER_BYTES = 16;
const MESSAGE_LIMIT_BYTES = 1024 * 1024;
const DEPTH_LIMIT = 16;

export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly error?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly signature?: string;
  readonly body: readonly Value[];
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  i: 4,
  u: 4,
  b: 4,
  s: 4,
  o: 4,
  a: 4,
  x: 8,
  t: 8,
  d: 8,
  "(": 8,
  "{": 8,
};

/** Where the complete type that begins at `at` ends. */
function endOfType(signature: string, at: number): number {
  const first = signature.charAt(at);
  if (first === "a") return endOfType(signature, at + 1);
  if (first !== "(" && first !== "{") {
    if (ALIGNMENT[first] === undefined) throw new Failure(`D-Bus: unknown type '${first}' in '${signature}'`);
    return at + 1;
  }
  const closing = first === "(" ? ")" : "}";
  let next = at + 1;
  // Of what takes no bytes, an array would never come to its end.
  if (signature.charAt(next) === closing) throw new Failure(`D-Bus: nothing is in a struct of '${signature}'`);
  while (signature.charAt(next) !== closing) next = endOfType(signature, next);
  return next + 1;
}

/** The complete types that a signature is made of. */
export function typesOf(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

class Writer {
  #bytes = new Uint8Array(256);
  length = 0;

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  #room(count: number): DataView {
    if (this.length + count > this.#bytes.length) {
      const larger = new Uint8Array((this.length + count) * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    const view = new DataView(this.#bytes.buffer, this.length);
    this.length += count;
    return view;
  }

  align(to: number): void {
    this.#room((to - (this.length % to)) % to);
  }

  u32(value: number): void {
    this.align(4);
    this.#room(4).setUint32(0, value, true);
  }

  /** Fills in a length that was written as 0. */
  patch(at: number, value: number): void {
    new DataView(this.#bytes.buffer).setUint32(at, value, true);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length - bytes.length);
  }

  text(value: string, lengthBytes: 1 | 4): void {
    if (value.includes("\0")) throw new Failure("D-Bus: a text with a NUL byte cannot be sent");
    const bytes = utf8(value);
    if (lengthBytes === 4) this.u32(bytes.length);
    else this.#room(1).setUint8(0, bytes.length);
    this.raw(bytes);
    this.#room(1);
  }

  value(type: string, value: Value): void {
    const kind = type.charAt(0);
    this.align(ALIGNMENT[kind] ?? 1);
    if (typeof value === "string") this.text(value, kind === "g" ? 1 : 4);
    else if (typeof value === "boolean") this.u32(value ? 1 : 0);
    else if (Array.isArray(value)) this.#list(type, value);
    else if (typeof value === "object" && "signature" in value) {
      this.text(value.signature, 1);
      this.value(value.signature, value.value);
    } else this.#number(kind, value as number | bigint);
  }

  #number(kind: string, value: number | bigint): void {
    switch (kind) {
      case "y":
        return this.#room(1).setUint8(0, Number(value));
      case "n":
      case "q":
        return this.#room(2).setUint16(0, Number(value), true);
      case "i":
      case "u":
        return this.#room(4).setUint32(0, Number(value), true);
      case "x":
      case "t":
        return this.#room(8).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
      case "d":
        return this.#room(8).setFloat64(0, Number(value), true);
      default:
        throw new Failure(`D-Bus: a number cannot be sent as '${kind}'`);
    }
  }

  #list(type: string, values: readonly Value[]): void {
    if (!type.startsWith("a")) {
      const types = typesOf(type.slice(1, -1));
      types.forEach((field, index) => {
        this.value(field, values[index] ?? 0);
      });
      return;
    }
    const element = type.slice(1);
    this.u32(0);
    const lengthAt = this.length - 4;
    // The padding before the first element does not count.
    this.align(ALIGNMENT[element.charAt(0)] ?? 1);
    const start = this.length;
    for (const value of values) this.value(element, value);
    this.patch(lengthAt, this.length - start);
  }
}

/** A message as bytes. */
export function encodeMessage(message: Message): Uint8Array {
  const body = new Writer();
  typesOf(message.signature ?? "").forEach((type, index) => {
    body.value(type, message.body[index] ?? 0);
  });
  const fields: Value[] = [];
  const add = (code: number, value: string | number | undefined) => {
    if (value !== undefined) fields.push([code, { signature: FIELD_SIGNATURES[code] ?? "s", value }]);
  };
  add(FIELD.path, message.path);
  add(FIELD.interface, message.interface);
  add(FIELD.member, message.member);
  add(FIELD.error, message.error);
  add(FIELD.replySerial, message.replySerial);
  add(FIELD.destination, message.destination);
  add(FIELD.signature, message.signature === "" ? undefined : message.signature);
  const whole = new Writer();
  whole.raw(new Uint8Array([LITTLE_ENDIAN, message.type, 0, PROTOCOL_VERSION]));
  whole.u32(body.length);
  whole.u32(message.serial);
  whole.value("a(yv)", fields);
  whole.align(8);
  whole.raw(body.bytes());
  return whole.bytes();
}

class Reader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  align(to: number): void {
    this.#at += (to - (this.#at % to)) % to;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count < 0 || at + count > this.#bytes.length) throw new Failure("D-Bus: a message ends too early");
    this.#at = at + count;
    return at;
  }

  u32(): number {
    this.align(4);
    return this.#view.getUint32(this.#take(4), true);
  }

  text(lengthBytes: 1 | 4): string {
    const length = lengthBytes === 4 ? this.u32() : this.#view.getUint8(this.#take(1));
    const at = this.#take(length + 1);
    return decodeText(this.#bytes, at, at + length);
  }

  value(type: string, depth = 0): Value {
    if (depth > DEPTH_LIMIT) throw new Failure("D-Bus: a message is nested too deeply");
    const kind = type.charAt(0);
    this.align(ALIGNMENT[kind] ?? 1);
    switch (kind) {
      case "y":
        return this.#view.getUint8(this.#take(1));
      case "n":
        return this.#view.getInt16(this.#take(2), true);
      case "q":
        return this.#view.getUint16(this.#take(2), true);
      case "i":
        return this.#view.getInt32(this.#take(4), true);
      case "u":
        return this.u32();
      case "b":
        return this.u32() !== 0;
      case "x":
        return this.#view.getBigInt64(this.#take(8), true);
      case "t":
        return this.#view.getBigUint64(this.#take(8), true);
      case "d":
        return this.#view.getFloat64(this.#take(8), true);
      case "s":
      case "o":
        return this.text(4);
      case "g":
        return this.text(1);
      case "v": {
        const signature = this.text(1);
        if (typesOf(signature).length !== 1) throw new Failure("D-Bus: a variant is not of one type");
        return { signature, value: this.value(signature, depth + 1) };
      }
      case "a":
        return this.#array(type.slice(1), depth);
      default:
        return typesOf(type.slice(1, -1)).map((field) => this.value(field, depth + 1));
    }
  }

  #array(element: string, depth: number): Value[] {
    const length = this.u32();
    this.align(ALIGNMENT[element.charAt(0)] ?? 1);
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Failure("D-Bus: a message ends too early");
    const values: Value[] = [];
    while (this.#at < end) values.push(this.value(element, depth + 1));
    return values;
  }
}

/** How long the message is whose first 16 bytes these are. Throws a Failure for what is none, or too long. */
export function messageLength(header: Uint8Array): number {
  if (header[0] !== LITTLE_ENDIAN || header[3] !== PROTOCOL_VERSION) throw new Failure("D-Bus: this is no message");
  const view = new DataView(header.buffer, header.byteOffset);
  const fieldsBytes = view.getUint32(12, true);
  const length = FIXED_HEADER_BYTES + Math.ceil(fieldsBytes / 8) * 8 + view.getUint32(4, true);
  if (length > MESSAGE_LIMIT_BYTES) throw new Failure(`D-Bus: a message of ${length} bytes is too long`);
  return length;
}

/** A message from its bytes. Throws a Failure for what is none. */
export function decodeMessage(bytes: Uint8Array): Message {
  if (messageLength(bytes) !== bytes.length) throw new Failure("D-Bus: a message is cut");
  const reader = new Reader(bytes, 8);
  const serial = reader.u32();
  const fields = new Map<number, string | number>();
  for (const entry of reader.value("a(yv)") as [number, Variant][]) {
    const [code, { signature, value }] = entry;
    if (signature === FIELD_SIGNATURES[code]) fields.set(code, value as string | number);
  }
  reader.align(8);
  const text = (code: number): string | undefined => fields.get(code) as string | undefined;
  const signature = text(FIELD.signature) ?? "";
  const optional = {
    path: text(FIELD.path),
    interface: text(FIELD.interface),
    member: text(FIELD.member),
    error: text(FIELD.error),
    replySerial: fields.get(FIELD.replySerial) as number | undefined,
  };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return {
    type: bytes[1] ?? 0,
    serial,
    ...given,
    signature,
    body: typesOf(signature).map((type) => reader.value(type)),
  };
}
