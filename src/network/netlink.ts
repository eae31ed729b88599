/**
 * Netlink's messages and attributes, as bytes: netlink(7), include/uapi/linux/netlink.h. Pure; the socket is netlink-socket.ts.
 *
 * A `Batch` is written front to back into one buffer, so that many messages are one system call:
 *
 *     const batch = new Batch();
 *     batch.message({ type: RTM_NEWLINK, flags: NLM.create, about: "create the bridge", header: ifinfomsg }, () => {
 *       batch.string(IFLA_IFNAME, "mycontainer0");
 *       batch.nest(IFLA_LINKINFO, () => batch.string(IFLA_INFO_KIND, "bridge"));
 *     });
 */
import { decode, utf8 } from "../linux/door.ts";

/** Flags of a message. */
export const NLM = {
  request: 0x1,
  ack: 0x4,
  capped: 0x100,
  ackTlvs: 0x200,
  /** Of requests that make: fail if it is there already; make it if it is not; add it behind the others. */
  excl: 0x200,
  /** What is there gives way; of requests that make, too. */
  replace: 0x100,
  create: 0x400,
  append: 0x800,
  /** Of requests that get: all of them. */
  dump: 0x300,
} as const;

/** Types of messages that all netlink protocols share. */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const MESSAGE_HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
/** An attribute's length is 16 bits wide. */
const ATTRIBUTE_LIMIT_BYTES = 0xffff;
/** More than any request here comes to; what is sent must fit into the socket's send buffer (wmem_default). */
export const BATCH_LIMIT_BYTES = 160 * 1024;
const FIRST_BYTES = 1024;

const align = (length: number) => (length + 3) & ~3;

export interface MessageStart {
  readonly type: number;
  readonly flags?: number;
  /** What the message asks for, in the words of an error. */
  readonly about: string;
  /** The protocol's own header: `struct ifinfomsg`, `struct nfgenmsg` and so on. */
  readonly header: Uint8Array;
}

/** Requests that go out in one system call. */
export class Batch {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #last = 0;
  #confirming: number | undefined;
  readonly #abouts: string[] = [];

  /** How many messages it holds; the first is number 0. */
  get count(): number {
    return this.#abouts.length;
  }

  /** The message that the kernel confirms when it is done, if there is one. */
  get confirming(): number | undefined {
    return this.#confirming;
  }

  /** What a message asks for. */
  about(number: number): string {
    return this.#abouts[number] ?? "a request";
  }

  /** Makes room for so many bytes (zeros) and returns where they start. */
  #take(length: number): number {
    const at = this.#at;
    const end = at + align(length);
    if (end > this.#bytes.length) {
      if (end > BATCH_LIMIT_BYTES) throw new RangeError("too many netlink messages for one batch");
      const larger = new Uint8Array(Math.max(end, this.#bytes.length * 4));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = end;
    return at;
  }

  /** Adds a request; `body` writes its attributes. Its sequence number is its place in the batch until it is sent. */
  message(start: MessageStart, body?: () => void): this {
    const at = this.#take(MESSAGE_HEADER_BYTES + start.header.length);
    this.#last = at;
    this.#bytes.set(start.header, at + MESSAGE_HEADER_BYTES);
    body?.();
    this.#view.setUint32(at, this.#at - at, true);
    this.#view.setUint16(at + 4, start.type, true);
    this.#view.setUint16(at + 6, NLM.request | (start.flags ?? 0), true);
    this.#view.setUint32(at + 8, this.#abouts.length, true);
    this.#abouts.push(start.about);
    return this;
  }

  /** Has the kernel confirm the message that was added last. */
  acknowledgeLast(): this {
    this.#confirming = this.count - 1;
    const at = this.#last + 6;
    this.#view.setUint16(at, this.#view.getUint16(at, true) | NLM.ack, true);
    return this;
  }

  #attribute(type: number, length: number): number {
    const whole = ATTRIBUTE_HEADER_BYTES + length;
    if (whole > ATTRIBUTE_LIMIT_BYTES) throw new RangeError(`netlink attribute ${type} is too long`);
    const at = this.#take(whole);
    this.#view.setUint16(at, whole, true);
    this.#view.setUint16(at + 2, type, true);
    return at + ATTRIBUTE_HEADER_BYTES;
  }

  u8(type: number, value: number): this {
    const at = this.#attribute(type, 1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(type: number, value: number): this {
    const at = this.#attribute(type, 2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  u32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  u64(type: number, value: bigint): this {
    const at = this.#attribute(type, 8);
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  /** A number in network order, as nf_tables has it. */
  be32(type: number, value: number): this {
    const at = this.#attribute(type, 4);
    this.#view.setUint32(at, value);
    return this;
  }

  be64(type: number, value: bigint): this {
    const at = this.#attribute(type, 8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  /** A string with its NUL. */
  string(type: number, text: string): this {
    const bytes = utf8(text);
    if (bytes.includes(0)) throw new TypeError("a netlink string cannot have a NUL byte");
    const at = this.#attribute(type, bytes.length + 1);
    this.#bytes.set(bytes, at);
    return this;
  }

  bytes(type: number, value: Uint8Array): this {
    const at = this.#attribute(type, value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** Bytes of a protocol's struct inside an attribute: not an attribute themselves. */
  raw(value: Uint8Array): this {
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  /** An attribute of attributes. */
  nest(type: number, body: () => void): this {
    const at = this.#take(ATTRIBUTE_HEADER_BYTES);
    body();
    const length = this.#at - at;
    if (length > ATTRIBUTE_LIMIT_BYTES) throw new RangeError(`netlink attribute ${type} is too long`);
    this.#view.setUint16(at, length, true);
    this.#view.setUint16(at + 2, type | NLA_F_NESTED, true);
    return this;
  }

  /** The messages as they are sent, numbered from `firstSequence` on. */
  finish(firstSequence = 0): Uint8Array {
    for (let at = 0, number = 0; at < this.#at; at += this.#view.getUint32(at, true), number++) {
      this.#view.setUint32(at + 8, firstSequence + number, true);
    }
    return this.#bytes.subarray(0, this.#at);
  }
}

export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The protocol's header and the attributes. */
  readonly payload: Uint8Array;
}

/** The messages of one datagram. Throws a RangeError if their lengths do not add up. */
export function parseMessages(datagram: Uint8Array): Message[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  const messages: Message[] = [];
  for (let at = 0; at + MESSAGE_HEADER_BYTES <= datagram.length; ) {
    const length = view.getUint32(at, true);
    if (length < MESSAGE_HEADER_BYTES || at + length > datagram.length)
      throw new RangeError("malformed netlink message");
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: datagram.subarray(at + MESSAGE_HEADER_BYTES, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** Attributes by their type; of one that comes twice, the last. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** Attributes in their order. Throws a RangeError if their lengths do not add up. */
export function listAttributes(bytes: Uint8Array, from = 0): [type: number, value: Uint8Array][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const list: [number, Uint8Array][] = [];
  for (let at = from; at + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) {
      throw new RangeError("malformed netlink attribute");
    }
    list.push([view.getUint16(at + 2, true) & NLA_TYPE_MASK, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length)]);
    at += align(length);
  }
  return list;
}

export function parseAttributes(bytes: Uint8Array, from = 0): Attributes {
  return new Map(listAttributes(bytes, from));
}

/** A string attribute, without its NUL. */
export function textOf(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return decode(value, 0, end < 0 ? value.length : end);
}

export function u32Of(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length < 4) return undefined;
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

const NLMSGERR_ATTR_MSG = 1;

export interface Answer {
  /** 0: done as asked. */
  readonly errno: number;
  /** What the kernel says about it in words (extended ack); empty if nothing. */
  readonly words: string;
}

/** Decodes the payload of an NLMSG_ERROR: `struct nlmsgerr` with what NETLINK_EXT_ACK adds. */
export function parseAnswer(message: Message): Answer {
  const { payload, flags } = message;
  if (payload.length < 4 + MESSAGE_HEADER_BYTES) throw new RangeError("malformed netlink answer");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const errno = -view.getInt32(0, true);
  if ((flags & NLM.ackTlvs) === 0) return { errno, words: "" };
  const request = (flags & NLM.capped) === 0 && errno !== 0 ? view.getUint32(4, true) : MESSAGE_HEADER_BYTES;
  const words = textOf(parseAttributes(payload, 4 + align(request)).get(NLMSGERR_ATTR_MSG)) ?? "";
  return { errno, words };
}
