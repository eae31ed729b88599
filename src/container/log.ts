/**
 * The log of a detached container: one JSON object a line, `{"log","stream","time"}`, as docker's json-file driver has it.
 * It is rotated by renaming: `log` -> `log.1` -> `log.2`; nothing that was written is lost but the oldest file, whole.
 */
import { wallClockRfc3339 } from "../linux/clock.ts";
import { decode } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { exists, O_APPEND, O_CREAT, O_WRONLY, openHost, rename } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { statusOfFd } from "../linux/status.ts";
import { concat } from "../linux/struct.ts";

export type StreamName = "stdout" | "stderr";

export interface LogRecord {
  /** A line with its end; without it, if it was cut or was the last. */
  readonly log: string;
  readonly stream: StreamName;
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
}

export interface LogLimits {
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
}

export const DEFAULT_LOG_LIMITS: LogLimits = { maxSizeBytes: 10 * 1024 * 1024, maxFiles: 3 };

/** A line longer than this is written in several records, as with docker. */
const LINE_LIMIT_BYTES = 16 * 1024;
const NEWLINE = 10;

/** The path of the N-th older file; 0 is the current one. */
export function rotatedPath(path: string, age: number): string {
  return age === 0 ? path : `${path}.${age}`;
}

/** Writes the log of one container. */
export class LogWriter implements Disposable {
  readonly #path: string;
  readonly #limits: LogLimits;
  #file: Handle;
  #sizeBytes: number;
  /** What each stream has written of a line that has not ended yet. */
  readonly #partial: Record<StreamName, Uint8Array> = { stdout: new Uint8Array(0), stderr: new Uint8Array(0) };

  constructor(path: string, limits: LogLimits = DEFAULT_LOG_LIMITS) {
    this.#path = path;
    this.#limits = limits;
    this.#file = openLog(path);
    this.#sizeBytes = statusOfFd(this.#file.fd, path).sizeBytes;
  }

  /** Takes what a stream has written: whole lines go to the log, the rest waits for its end. */
  take(stream: StreamName, data: Uint8Array): void {
    const time = wallClockRfc3339();
    let text = "";
    let rest = this.#partial[stream].length === 0 ? data : concat(this.#partial[stream], data);
    for (;;) {
      const newline = rest.indexOf(NEWLINE);
      const ended = newline >= 0 && newline < LINE_LIMIT_BYTES;
      if (!ended && rest.length < LINE_LIMIT_BYTES) break;
      const length = ended ? newline + 1 : LINE_LIMIT_BYTES;
      text += record(decode(rest, 0, length), stream, time);
      rest = rest.subarray(length);
    }
    this.#partial[stream] = rest.slice();
    if (text !== "") this.#write(text);
  }

  /** Writes what has no end of line: at the end of the stream. */
  flush(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const rest = this.#partial[stream];
      if (rest.length === 0) continue;
      this.#partial[stream] = new Uint8Array(0);
      this.#write(record(decode(rest), stream, wallClockRfc3339()));
    }
  }

  #write(text: string): void {
    if (this.#sizeBytes > 0 && this.#sizeBytes + text.length > this.#limits.maxSizeBytes) this.#rotate();
    try {
      writeAll(this.#file.fd, text, this.#path);
      this.#sizeBytes += text.length;
    } catch (error) {
      // A full disk costs lines of the log, and not the container.
      if (!isErrno(error, "ENOSPC", "EDQUOT")) throw error;
    }
  }

  #rotate(): void {
    for (let age = this.#limits.maxFiles - 1; age > 0; age--) {
      const from = rotatedPath(this.#path, age - 1);
      if (exists(from)) rename(from, rotatedPath(this.#path, age));
    }
    this.#file.close();
    this.#file = openLog(this.#path);
    this.#sizeBytes = 0;
  }

  [Symbol.dispose](): void {
    this.flush();
    this.#file.close();
  }
}

/** Makes the file, empty: who asks for the log of a container that has just started finds it. */
export function beginLog(path: string): void {
  openLog(path).close();
}

function openLog(path: string): Handle {
  return openHost(path, O_WRONLY | O_CREAT | O_APPEND, 0o600);
}

function record(log: string, stream: StreamName, time: string): string {
  return `${JSON.stringify({ log, stream, time } satisfies LogRecord)}\n`;
}
