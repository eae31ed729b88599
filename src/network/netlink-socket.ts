/**
 * A netlink socket: sends batches to the kernel and reads what it answers.
 *
 * The kernel works on a request while it is being sent, so its answers lie ready when sendto(2) returns; nothing here waits.
 */
import { attempt, call, KernelError } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { openNetlink } from "../linux/socket.ts";
import {
  type Answer,
  type Batch,
  type Message,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseAnswer,
  parseMessages,
} from "./netlink.ts";

const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const [EAGAIN, EPROTO] = [11, 71];

/** The kernel fills at most this much of a reader's buffer with one part of a dump. */
const RECEIVE_BYTES = 32 * 1024;
/** A dump with more messages than this is given up. */
const DUMP_LIMIT_MESSAGES = 100_000;

/** A request that the kernel refused. */
interface Refusal {
  readonly about: string;
  readonly answer: Answer;
}

/** The kernel's refusal as an error that names the request and carries the kernel's own words. */
function refusalError({ about, answer }: Refusal): KernelError {
  return new KernelError("sendto", answer.errno, answer.words === "" ? about : `${about}: ${answer.words}`);
}

export class NetlinkSocket implements Disposable {
  readonly #socket: Handle;
  readonly #buffer = new Uint8Array(RECEIVE_BYTES);
  readonly #sender = new Uint32Array(3);
  #sequence = 1;

  /** @param protocol of `NETLINK`; the socket belongs to the network namespace that this process is in, for good */
  constructor(protocol: number) {
    this.#socket = openNetlink(protocol);
    attempt("setsockopt", this.#socket.fd, SOL_NETLINK, NETLINK_EXT_ACK, new Int32Array([1]), 4);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #send(batch: Batch): number {
    const first = this.#sequence;
    const bytes = batch.finish(first);
    this.#sequence += batch.count;
    call("sendto", batch.about(0), this.#socket.fd, bytes, bytes.length, 0, null, 0);
    return first;
  }

  /** The messages of the next datagram; undefined if nothing more lies ready. What others than the kernel send is dropped. */
  #receive(about: string): Message[] | undefined {
    for (;;) {
      const length = attempt(
        "recvfrom",
        this.#socket.fd,
        this.#buffer,
        RECEIVE_BYTES,
        MSG_DONTWAIT | MSG_TRUNC,
        this.#sender,
        new Uint32Array([12]),
      );
      if (length === -EAGAIN) return undefined;
      if (length < 0) throw new KernelError("recvfrom", -length, about);
      if (length > RECEIVE_BYTES) throw new RangeError(`${about}: an answer of ${length} bytes is too long`);
      if (this.#sender[1] === 0) return parseMessages(this.#buffer.subarray(0, length));
    }
  }

  /**
   * Sends requests, of which one (the last, if none was chosen) is confirmed by the kernel.
   * @param tolerate says of a refused request (its place in the batch, the errno) that this is fine
   * @throws KernelError of the first refusal that is not tolerated. What the others asked for may have been done.
   */
  apply(batch: Batch, tolerate: (number: number, errno: number) => boolean = () => false): void {
    const confirming = batch.confirming ?? batch.acknowledgeLast().count - 1;
    const first = this.#send(batch);
    const last = first + confirming;
    let refusal: Refusal | undefined;
    for (let confirmed = false; !confirmed; ) {
      const messages = this.#receive(batch.about(0));
      if (messages === undefined) {
        if (refusal === undefined) throw new KernelError("recvfrom", EPROTO, `${batch.about(0)}: no answer`);
        break;
      }
      for (const message of messages) {
        if (message.type !== NLMSG_ERROR || message.sequence < first) continue;
        const answer = parseAnswer(message);
        const number = message.sequence - first;
        if (answer.errno !== 0 && !tolerate(number, answer.errno)) {
          refusal ??= { about: batch.about(number), answer };
        }
        confirmed ||= message.sequence === last;
      }
    }
    if (refusal !== undefined) throw refusalError(refusal);
  }

  /**
   * Sends requests of which the last gets something; its reply, or undefined where that answers with an error that is
   * tolerated. The reply is valid until the next call.
   */
  get(batch: Batch, tolerate: (number: number, errno: number) => boolean = () => false): Message | undefined {
    const first = this.#send(batch);
    const last = first + batch.count - 1;
    let refusal: Refusal | undefined;
    for (;;) {
      const messages = this.#receive(batch.about(0));
      if (messages === undefined) {
        throw refusal === undefined
          ? new KernelError("recvfrom", EPROTO, `${batch.about(0)}: no answer`)
          : refusalError(refusal);
      }
      for (const message of messages) {
        if (message.sequence < first) continue;
        const number = message.sequence - first;
        if (message.type !== NLMSG_ERROR) {
          if (refusal !== undefined) throw refusalError(refusal);
          return message;
        }
        const answer = parseAnswer(message);
        if (answer.errno !== 0 && !tolerate(number, answer.errno)) refusal ??= { about: batch.about(number), answer };
        else if (message.sequence === last) return undefined;
      }
    }
  }

  /**
   * Sends one request for all of something and hands over every message of the answer; what it is handed is valid during that call.
   * @throws KernelError if the kernel refuses
   */
  dump(batch: Batch, each: (message: Message) => void): void {
    const sequence = this.#send(batch);
    const about = batch.about(0);
    for (let count = 0; ; ) {
      const messages = this.#receive(about);
      if (messages === undefined) throw new KernelError("recvfrom", EPROTO, `${about}: no answer`);
      for (const message of messages) {
        if (message.sequence !== sequence) continue;
        if (message.type === NLMSG_DONE) return;
        if (message.type === NLMSG_ERROR) {
          const answer = parseAnswer(message);
          if (answer.errno === 0) return;
          throw refusalError({ about, answer });
        }
        if (++count > DUMP_LIMIT_MESSAGES) throw new RangeError(`${about}: more than ${DUMP_LIMIT_MESSAGES} messages`);
        each(message);
      }
    }
  }
}
