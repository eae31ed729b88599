/**
 * The transport: exchanges are done by native/fetch, a program of its own that is started with the first of them. Several
 * may be under way at once.
 */
import { unreachable } from "../failure.ts";
import { utf8 } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { receiveMessage, sendMessage } from "../linux/socket.ts";
import { concat } from "../linux/struct.ts";
import type { Settle, Turns } from "../linux/turns.ts";
import { openSystemBundle } from "./authorities.ts";
import { type Coprocess, startProgram } from "./coprocess.ts";
import {
  type Answer,
  type Exchange,
  type RequestBody,
  type Transport,
  TransportError,
  type Trust,
} from "./exchange.ts";
import { agentMessage, exchangeMessage, parseReport, type Report } from "./messages.ts";

/** The longest packet that comes: 64 KiB of headers as JSON. */
const PACKET_LIMIT_BYTES = 256 * 1024;
/** The longest that goes; a socket takes no more at once (wmem_default of socket(7)). */
const MESSAGE_LIMIT_BYTES = 160 * 1024;
const MFD_CLOEXEC = 1;

/** An exchange that has not come to its end. */
interface Pending {
  readonly settle: Settle<Answer>;
  readonly progress: ((bytes: number) => void) | undefined;
  readonly presentBytes: number;
  readonly pieces: Uint8Array[];
  status: number;
  headers: ReadonlyMap<string, string>;
}

/** A text as a file that has no name: memfd_create(2). */
function fileOf(text: string): { handle: Handle; sizeBytes: number } {
  const handle = callForHandle("memfd_create", "", "request", MFD_CLOEXEC);
  const bytes = utf8(text);
  writeAll(handle.fd, bytes);
  return { handle, sizeBytes: bytes.length };
}

class Fetch implements Disposable {
  readonly #turns: Turns;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  readonly #agents = new Map<string, number>();
  #coprocess: Coprocess | undefined;
  #count = 0;
  #isClosed = false;

  constructor(turns: Turns, timeoutMs: number) {
    this.#turns = turns;
    this.#timeoutMs = timeoutMs;
  }

  exchange(exchange: Exchange, progress?: (bytes: number) => void): Promise<Answer> {
    return this.#turns.promise((settle) => {
      if (this.#isClosed) throw givenUp();
      this.#coprocess ??= this.#start();
      const { socket } = this.#coprocess;
      const agent = this.#agentFor(socket, exchange);
      const id = this.#count++;
      using stack = new DisposableStack();
      const body = this.#bodyOf(exchange.body, stack);
      const { sink } = exchange;
      const fds = [body?.fd, sink?.file.fd, sink?.pipe?.fd].filter((fd) => fd !== undefined);
      send(socket, exchangeMessage(id, agent, exchange, body?.sizeBytes), fds);
      const presentBytes = sink?.presentBytes ?? 0;
      this.#pending.set(id, { settle, progress, presentBytes, pieces: [], status: 0, headers: new Map() });
    });
  }

  #bodyOf(body: RequestBody | undefined, stack: DisposableStack): { fd: number; sizeBytes: number } | undefined {
    if (body === undefined) return undefined;
    if (body.kind === "file") return { fd: body.handle.fd, sizeBytes: body.sizeBytes };
    const { handle, sizeBytes } = fileOf(body.text);
    return { fd: stack.use(handle).fd, sizeBytes };
  }

  /** The number of the agent that does exchanges with this trust and proxy. */
  #agentFor(socket: Handle, { url, trust, proxy }: Exchange): number {
    const isSecure = !url.startsWith("http:");
    const key = JSON.stringify([isSecure, proxy ?? null, isSecure ? trust : null]);
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = this.#agents.size;
    using stack = new DisposableStack();
    const files = isSecure ? trustedFiles(trust, stack) : NO_FILES;
    const request = {
      agent,
      verify: trust.verify,
      builtIn: files.builtIn,
      authorities: files.authorities.length,
      pinned: files.pinned,
      client: files.client.length > 0,
      proxy,
    };
    const message = agentMessage(request, this.#timeoutMs);
    send(
      socket,
      message,
      [...files.authorities, ...files.client].map(({ fd }) => fd),
    );
    this.#agents.set(key, agent);
    return agent;
  }

  #start(): Coprocess {
    const started = startProgram();
    this.#turns.loop.watch(started.socket.fd, () => this.#receive(started));
    return started;
  }

  #receive(coprocess: Coprocess): void {
    try {
      const message = receiveMessage(coprocess.socket.fd, PACKET_LIMIT_BYTES);
      if (message === undefined) throw coprocess.whyEnded();
      for (const fd of message.fds) fd.close();
      const { id, report } = parseReport(message.bytes);
      const pending = this.#pending.get(id);
      if (pending !== undefined) this.#hear(id, pending, report);
    } catch (error) {
      // It is of no more use.
      this.#close(error);
    }
  }

  #hear(id: number, pending: Pending, report: Report): void {
    switch (report.kind) {
      case "head":
        pending.status = report.status;
        pending.headers = report.headers;
        // The other side begins anew: what was there already is to come again.
        if (pending.presentBytes > 0 && report.status === 200) pending.progress?.(-pending.presentBytes);
        return;
      case "progress":
        pending.progress?.(report.bytes);
        return;
      case "body":
        pending.pieces.push(report.bytes);
        return;
      case "trouble":
        this.#pending.delete(id);
        pending.settle.reject(report.error);
        return;
      case "end": {
        this.#pending.delete(id);
        const { status, headers, pieces } = pending;
        pending.settle.resolve({ status, headers, body: concat(...pieces) });
        return;
      }
      default:
        unreachable(report);
    }
  }

  #close(reason: unknown): void {
    if (this.#coprocess === undefined) return;
    this.#turns.loop.unwatch(this.#coprocess.socket.fd);
    this.#coprocess[Symbol.dispose]();
    this.#coprocess = undefined;
    this.#agents.clear();
    for (const { settle } of this.#pending.values()) settle.reject(reason);
    this.#pending.clear();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#close(givenUp());
  }
}

const givenUp = (): TransportError => new TransportError("protocol", "the exchange was given up");

/** The files of a trust, as the program takes them. */
interface TrustedFiles {
  readonly authorities: readonly Handle[];
  /** How many of them, the last ones, are the host's own. */
  readonly pinned: number;
  /** A certificate and its key, or nothing. */
  readonly client: readonly Handle[];
  /** Whether the list that is built in stands in for the host's. */
  readonly builtIn: boolean;
}

const NO_FILES: TrustedFiles = { authorities: [], pinned: 0, client: [], builtIn: false };

function openTrusted(path: string, stack: DisposableStack): Handle {
  try {
    return stack.use(openHost(path, O_RDONLY));
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw new TransportError("tls", `the certificate '${path}' cannot be read: ${error.code}`);
  }
}

function trustedFiles({ verify, authorities, client }: Trust, stack: DisposableStack): TrustedFiles {
  const own = client === undefined ? [] : [client.certificate, client.key].map((path) => openTrusted(path, stack));
  if (!verify) return { ...NO_FILES, client: own };
  const system = openSystemBundle();
  const given = authorities.map((path) => openTrusted(path, stack));
  return {
    authorities: [...(system === undefined ? [] : [stack.use(system)]), ...given],
    pinned: given.length,
    client: own,
    builtIn: system === undefined,
  };
}

function send(socket: Handle, message: string, fds: readonly number[]): void {
  const bytes = utf8(message);
  if (bytes.length > MESSAGE_LIMIT_BYTES)
    throw new TransportError("too-large", "the headers of the request are too long");
  try {
    sendMessage(socket.fd, bytes, fds);
  } catch (error) {
    // It has ended; the socket's other end tells why.
    if (!isErrno(error, "EPIPE", "ECONNRESET")) throw error;
  }
}

/**
 * A transport whose answers come with the turns of a loop. Its scope's end gives up all that is under way.
 * @param timeoutMs how long the other side may say nothing
 */
export function openTransport(turns: Turns, timeoutMs: number): Transport & Disposable {
  const fetch = new Fetch(turns, timeoutMs);
  return Object.assign((exchange: Exchange, progress?: (bytes: number) => void) => fetch.exchange(exchange, progress), {
    [Symbol.dispose]: () => fetch[Symbol.dispose](),
  });
}
