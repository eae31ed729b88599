/**
 * One exchange of HTTP with a registry, as data: what is asked for, and what came back. The transport does what stands here
 * and decides nothing: it follows no redirect, adds no credentials and repeats nothing.
 */
import type { Handle } from "../linux/fd.ts";

export interface Exchange {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute; http or https. */
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: RequestBody;
  /** Where the body of a 2xx answer goes; without it, into `Answer.body`. */
  readonly sink?: Sink;
  readonly trust: Trust;
  /** `http://[user:password@]host:port` of a proxy. */
  readonly proxy?: string;
}

export type RequestBody =
  | { readonly kind: "text"; readonly text: string }
  /** A part of a file. */
  | { readonly kind: "file"; readonly handle: Handle; readonly offset: number; readonly sizeBytes: number };

/** A file that grows by the body, and a pipe that gets the same bytes. */
export interface Sink {
  readonly file: Handle;
  /** Bytes that the file has already: the pipe gets them first, once the answer is 206, and the body is appended. */
  readonly presentBytes: number;
  readonly pipe?: Handle;
  /**
   * Bytes that the pipe has had from an exchange before, and does not get again: to go on after a `cut` or a `timeout` with
   * the same pipe, `pipedBytes` of that error; `presentBytes` is then the size of the file.
   */
  readonly pipedBytes?: number;
  /** In all; one more is an error. */
  readonly limitBytes: number;
}

export interface Trust {
  /** False only for registries on the list of insecure ones. */
  readonly verify: boolean;
  /** PEM files, beside the system's certificates. */
  readonly authorities: readonly string[];
  readonly client?: { readonly certificate: string; readonly key: string };
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; values of a name that comes twice are joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** At most BODY_LIMIT_BYTES; empty where a sink took it. */
  readonly body: Uint8Array;
}

/** Of answers that are kept in memory: manifests, tokens, errors (distribution-spec, "manifests": 4 MiB). */
export const BODY_LIMIT_BYTES = 4 * 1024 * 1024;

/** What can go wrong without an answer, or in the midst of one. */
export type TransportTrouble =
  | "resolve"
  | "connect"
  | "tls"
  | "timeout"
  | "cut"
  | "too-large"
  | "protocol"
  /** The file or the pipe took no more. */
  | "sink";

/** Thrown by a transport. `cut`, `timeout`, `connect` and `resolve` may be tried again. */
export class TransportError extends Error {
  readonly trouble: TransportTrouble;
  /** The name of an error of the kernel: of a sink, `ENOSPC`, `EPIPE`; with `tls`, `EPROTO` if there is no TLS at all. */
  readonly code: string | undefined;
  /** Bytes that the pipe of the sink has had, in this exchange and before. */
  readonly pipedBytes: number;

  constructor(
    trouble: TransportTrouble,
    message: string,
    details: { readonly code?: string | undefined; readonly pipedBytes?: number } = {},
  ) {
    super(message);
    this.name = "TransportError";
    this.trouble = trouble;
    this.code = details.code;
    this.pipedBytes = details.pipedBytes ?? 0;
  }
}

/**
 * Several exchanges may be under way at once. `progress` hears how many bytes of a sink's body have come since it heard last;
 * if the other side begins anew where a part was there already, less than nothing: those bytes come again.
 */
export type Transport = (exchange: Exchange, progress?: (bytes: number) => void) => Promise<Answer>;
