/**
 * A connection to systemd: its private socket, or the bus. D-Bus Specification, "Authentication Protocol".
 */
import { Failure } from "../failure.ts";
import { monotonicMs } from "../linux/clock.ts";
import { decode, utf8 } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { readTextIfThere } from "../linux/hostpath.ts";
import { read, writeAll } from "../linux/io.ts";
import { waitReadable } from "../linux/poll.ts";
import { geteuid } from "../linux/process.ts";
import { connectTo } from "../linux/socket.ts";
import {
  decodeMessage,
  encodeMessage,
  FIXED_HEADER_BYTES,
  type Message,
  messageLength,
  TYPE,
  type Value,
} from "./dbus.ts";

const TIMEOUT_MS = 30_000;
const LINE_LIMIT_BYTES = 512;
const JOBS = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";

/** What is called. */
export interface Method {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
}

/** An answer of systemd's that says no: `org.freedesktop.systemd1.NoSuchUnit`. */
export class RefusedCall extends Failure {
  readonly errorName: string;

  constructor(member: string, errorName: string, text: string) {
    super(`systemd refuses ${member}: ${text === "" ? errorName : text}`);
    this.errorName = errorName;
  }
}

export class Connection implements Disposable {
  readonly #socket: Handle;
  #serial = 0;
  /** What came while an answer was waited for. */
  #signals: Message[] = [];

  private constructor(socket: Handle) {
    this.#socket = socket;
  }

  /** @param isBus whether it is a bus, which wants to be greeted, and not systemd itself */
  static open(path: string, isBus: boolean): Connection {
    const connection = new Connection(connectTo(path));
    try {
      connection.#authenticate();
      if (isBus) {
        connection.call(busMethod("Hello", ""));
        connection.call(busMethod("AddMatch", "s"), JOBS);
      }
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  /** Calls a method, and returns what it answers. Throws RefusedCall. */
  call(method: Method, ...body: Value[]): readonly Value[] {
    const serial = ++this.#serial;
    writeAll(this.#socket.fd, encodeMessage({ type: TYPE.call, serial, ...method, body }), "D-Bus");
    const deadline = monotonicMs() + TIMEOUT_MS;
    for (;;) {
      const message = this.#receive(deadline, method.member);
      if (message.type === TYPE.signal) this.#signals.push(message);
      if (message.replySerial !== serial) continue;
      if (message.type === TYPE.reply) return message.body;
      const [text] = message.body;
      throw new RefusedCall(method.member, message.error ?? "", typeof text === "string" ? text : "");
    }
  }

  /** Waits for a signal for which `matches` holds, also one that has come already. */
  awaitSignal(member: string, matches: (body: readonly Value[]) => boolean): readonly Value[] {
    const isWanted = (message: Message) =>
      message.type === TYPE.signal && message.member === member && matches(message.body);
    const early = this.#signals.find(isWanted);
    if (early !== undefined) return early.body;
    const deadline = monotonicMs() + TIMEOUT_MS;
    for (;;) {
      const message = this.#receive(deadline, member);
      if (isWanted(message)) return message.body;
    }
  }

  #receive(deadline: number, about: string): Message {
    const header = this.#readExactly(FIXED_HEADER_BYTES, deadline, about);
    const rest = this.#readExactly(messageLength(header) - FIXED_HEADER_BYTES, deadline, about);
    const whole = new Uint8Array(header.length + rest.length);
    whole.set(header);
    whole.set(rest, header.length);
    return decodeMessage(whole);
  }

  #readExactly(count: number, deadline: number, about: string): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let length = 0; length < count; ) {
      this.#await(deadline, about);
      const more = read(this.#socket.fd, bytes.subarray(length), "D-Bus");
      if (more === 0) throw new Failure("systemd has closed the connection");
      length += more;
    }
    return bytes;
  }

  #await(deadline: number, about: string): void {
    if (waitReadable(this.#socket.fd, Math.max(0, deadline - monotonicMs()))) return;
    throw new Failure(`systemd does not answer ${about} within ${TIMEOUT_MS / 1000} s`, {
      hint: "'systemctl status' tells whether it is well",
    });
  }

  /**
   * By the socket's credentials: EXTERNAL, with the uid in hex digits of its decimal ones, as it is outside of our user namespace:
   * that is where systemd is. BEGIN goes along: what follows it in
   * the same read of systemd's would lie there until something else comes, so nothing does before the answer.
   */
  #authenticate(): void {
    const outer = uidOutside(readTextIfThere("/proc/self/uid_map") ?? "", geteuid());
    const uid = [...String(outer)].map((digit) => digit.charCodeAt(0).toString(16)).join("");
    writeAll(this.#socket.fd, utf8(`\0AUTH EXTERNAL ${uid}\r\nBEGIN\r\n`), "D-Bus");
    const line = this.#readLine(monotonicMs() + TIMEOUT_MS);
    if (!line.startsWith("OK ")) throw new Failure(`systemd does not let us in: ${line}`);
  }

  /** Byte by byte: what follows the line is another protocol. */
  #readLine(deadline: number): string {
    const bytes = new Uint8Array(LINE_LIMIT_BYTES);
    for (let length = 0; length < LINE_LIMIT_BYTES; length++) {
      this.#await(deadline, "AUTH");
      if (read(this.#socket.fd, bytes.subarray(length, length + 1), "D-Bus") === 0) break;
      if (bytes[length] === 0x0a) return decode(bytes, 0, length).trim();
    }
    throw new Failure("systemd does not speak D-Bus here");
  }
}

/** What a uid is in the user namespace around ours: user_namespaces(7), "uid_map". Pure. */
export function uidOutside(map: string, uid: number): number {
  for (const line of map.split("\n")) {
    const [inside = 0, outside = 0, count = 0] = line.trim().split(/ +/, 3).map(Number);
    if (uid >= inside && uid < inside + count) return outside + uid - inside;
  }
  return uid;
}

function busMethod(member: string, signature: string): Method {
  const interfaceName = "org.freedesktop.DBus";
  return { destination: interfaceName, path: "/org/freedesktop/DBus", interface: interfaceName, member, signature };
}

/** Where a systemd may be reached; the first that is there is taken. */
export interface Address {
  readonly path: string;
  readonly isBus: boolean;
}

/** Connects with the first address that somebody listens at. Throws a Failure if there is none. */
export function connectFirst(addresses: readonly Address[]): Connection {
  for (const { path, isBus } of addresses) {
    try {
      return Connection.open(path, isBus);
    } catch (error) {
      if (!isErrno(error, "ENOENT", "ECONNREFUSED", "EACCES", "ENOTDIR")) throw error;
    }
  }
  throw new Failure("systemd cannot be reached", {
    hint: `tried ${addresses.map(({ path }) => path).join(", ")}; without --systemd-cgroup cgroups are made by ourselves`,
  });
}
