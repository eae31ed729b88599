/**
 * Reading the log of a container (container/log.ts), from its older files to the current one, and on as it grows.
 */
import { decode } from "../linux/door.ts";
import { attempt, call } from "../linux/error.ts";
import type { EventLoop } from "../linux/eventloop.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { exists, O_RDONLY, openHost, statusOf } from "../linux/hostpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { concat } from "../linux/struct.ts";
import { DEFAULT_LOG_LIMITS, type LogRecord, rotatedPath } from "./log.ts";

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;
const IN_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const IN_MODIFY = 0x2;
const IN_MOVE_SELF = 0x800;
const IN_DELETE_SELF = 0x400;
const EVENTS_BYTES = 4096;

/** Reads records from one open file, as far as it is written. */
class RecordReader {
  readonly #file: Handle;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(file: Handle) {
    this.#file = file;
  }

  get file(): Handle {
    return this.#file;
  }

  /** All whole records that have been written since. */
  *records(): Generator<LogRecord> {
    const buffer = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const count = call("read", "log", this.#file.fd, buffer, CHUNK_BYTES);
      if (count === 0) return;
      let data = concat(this.#rest, buffer.subarray(0, count));
      for (let newline = data.indexOf(NEWLINE); newline >= 0; newline = data.indexOf(NEWLINE)) {
        const record = parseRecord(decode(data, 0, newline));
        if (record !== undefined) yield record;
        data = data.subarray(newline + 1);
      }
      this.#rest = data.slice();
    }
  }
}

/** A line of the log; undefined for one that a crash has cut. */
function parseRecord(line: string): LogRecord | undefined {
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return undefined;
  }
}

/** All records that a log has now, the oldest first. */
export function* readLog(path: string): Generator<LogRecord> {
  for (let age = DEFAULT_LOG_LIMITS.maxFiles - 1; age >= 0; age--) {
    if (!exists(rotatedPath(path, age))) continue;
    using file = openHost(rotatedPath(path, age), O_RDONLY);
    yield* new RecordReader(file).records();
  }
}

/** Tells every record of a log, those that are there and those that come, until `ended` is readable (a lock's or a process's end). */
export function followLog(
  path: string,
  loop: EventLoop,
  take: (record: LogRecord) => void,
): Disposable & { drain(): void } {
  for (let age = DEFAULT_LOG_LIMITS.maxFiles - 1; age > 0; age--) {
    if (!exists(rotatedPath(path, age))) continue;
    using file = openHost(rotatedPath(path, age), O_RDONLY);
    for (const record of new RecordReader(file).records()) take(record);
  }
  let reader = new RecordReader(openHost(path, O_RDONLY));
  const notify = callForHandle("inotify_init1", "", IN_CLOEXEC_NONBLOCK);
  const watchFile = () => {
    call("inotify_add_watch", path, notify.fd, path, IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF);
  };
  const drain = () => {
    for (const record of reader.records()) take(record);
    // The log has been rotated: what is left of the old file has been read, the new one begins.
    const current = statusOf(path);
    if (current === undefined || current.inode === statusOfFd(reader.file.fd).inode) return;
    reader.file.close();
    reader = new RecordReader(openHost(path, O_RDONLY));
    watchFile();
    for (const record of reader.records()) take(record);
  };
  watchFile();
  loop.watch(notify.fd, () => {
    while (attempt("read", notify.fd, new Uint8Array(EVENTS_BYTES), EVENTS_BYTES) > 0) {}
    drain();
  });
  drain();
  return {
    drain,
    [Symbol.dispose]() {
      loop.unwatch(notify.fd);
      notify.close();
      reader.file.close();
    },
  };
}
