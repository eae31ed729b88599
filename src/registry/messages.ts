/**
 * The messages that go to and come from native/fetch (its message.rs has the same shapes). Pure.
 */
import { decode } from "../linux/door.ts";
import { errnoName } from "../linux/errno.ts";
import { BODY_LIMIT_BYTES, type Exchange, TransportError, type TransportTrouble } from "./exchange.ts";

const RESOLVE_MOST_MS = 10_000;
/** With TLS, and with the proxy's part. */
const CONNECT_MOST_MS = 15_000;
/** A body that brings less than this would take days. */
const SLOW_BYTES_PER_SECOND = 1024;

/** What an exchange must not take more of. `timeoutMs`: of silence, before an answer and in the midst of one. */
function limitsOf(timeoutMs: number): Readonly<Record<string, number>> {
  const slowMs = Math.ceil(timeoutMs / 2);
  return {
    resolveMs: Math.min(RESOLVE_MOST_MS, timeoutMs),
    connectMs: Math.min(CONNECT_MOST_MS, timeoutMs),
    firstByteMs: timeoutMs,
    silenceMs: timeoutMs,
    slowBytes: Math.ceil((SLOW_BYTES_PER_SECOND * slowMs) / 1000),
    slowMs,
    headerBytes: 64 * 1024,
    idleConnections: 8,
  };
}

const NEWLINE = 10;

/** What exchanges share that may use the same connections. */
export interface AgentRequest {
  readonly agent: number;
  readonly verify: boolean;
  readonly builtIn: boolean;
  /** How many descriptors of files of authorities come with it; those of a client's certificate and key follow. */
  readonly authorities: number;
  /** How many of them, the last ones, are this host's own: what is in them is also trusted as its certificate itself. */
  readonly pinned: number;
  readonly client: boolean;
  readonly proxy: string | undefined;
}

export function agentMessage(request: AgentRequest, timeoutMs: number): string {
  return JSON.stringify({ kind: "agent", ...request, limits: limitsOf(timeoutMs) });
}

/** The request for an exchange. Its descriptors: the body's file; the sink's file, and its pipe if there is one. */
export function exchangeMessage(id: number, agent: number, exchange: Exchange, bodyBytes: number | undefined): string {
  const { method, url, headers, body, sink } = exchange;
  return JSON.stringify({
    kind: "exchange",
    id,
    agent,
    method,
    url,
    headers,
    bodyLimit: BODY_LIMIT_BYTES,
    ...(bodyBytes === undefined ? {} : { body: { offset: body?.kind === "file" ? body.offset : 0, size: bodyBytes } }),
    ...(sink === undefined
      ? {}
      : {
          sink: {
            present: sink.presentBytes,
            piped: sink.pipedBytes ?? 0,
            limit: sink.limitBytes,
            pipe: sink.pipe !== undefined,
          },
        }),
  });
}

export type Report =
  | { readonly kind: "head"; readonly status: number; readonly headers: ReadonlyMap<string, string> }
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "trouble"; readonly error: TransportError };

const TROUBLES: readonly TransportTrouble[] = [
  "resolve",
  "connect",
  "tls",
  "timeout",
  "cut",
  "too-large",
  "protocol",
  "sink",
];

type Members = Readonly<Record<string, unknown>>;

const isMembers = (value: unknown): value is Members => typeof value === "object" && value !== null;
const nonsense = (): TransportError => new TransportError("protocol", "the program for HTTP says what has no meaning");

/** Headers by name; those that come twice become one (RFC 9110, section 5.3). */
function headersOf(list: unknown): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  if (!Array.isArray(list)) throw nonsense();
  for (const pair of list) {
    if (!Array.isArray(pair)) throw nonsense();
    const [name, value]: unknown[] = pair;
    if (typeof name !== "string" || typeof value !== "string") throw nonsense();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function troubleOf(value: Members): TransportError {
  const { kind, message, errno, piped } = value;
  const trouble = TROUBLES.find((one) => one === kind);
  if (trouble === undefined || typeof message !== "string") throw nonsense();
  return new TransportError(trouble, message, {
    code: typeof errno === "number" ? errnoName(errno) : undefined,
    pipedBytes: typeof piped === "number" ? piped : 0,
  });
}

/** What a packet says, and of which exchange. Throws a TransportError for what is none of these. */
export function parseReport(packet: Uint8Array): { readonly id: number; readonly report: Report } {
  const end = packet.indexOf(NEWLINE);
  const message: unknown = JSON.parse(decode(packet, 0, Math.max(end, 0)) || "null");
  if (!isMembers(message)) throw nonsense();
  const { id, head, progress, body, trouble } = message;
  if (typeof id !== "number") throw nonsense();
  if (isMembers(head)) {
    const { status, headers } = head;
    if (typeof status !== "number") throw nonsense();
    return { id, report: { kind: "head", status, headers: headersOf(headers) } };
  }
  if (typeof progress === "number") return { id, report: { kind: "progress", bytes: progress } };
  if (typeof body === "number") return { id, report: { kind: "body", bytes: packet.subarray(end + 1) } };
  if (isMembers(trouble)) return { id, report: { kind: "trouble", error: troubleOf(trouble) } };
  return { id, report: { kind: "end" } };
}
