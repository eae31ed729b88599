/**
 * Waiting for many things at once: epoll(7) with timers. Handlers run one after another, to their ends.
 */

import { monotonicMs } from "./clock.ts";
import { arch } from "./door.ts";
import { attempt, call } from "./error.ts";
import { callForHandle, type Handle } from "./fd.ts";

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
export const READABLE = 0x1;
export const WRITABLE = 0x4;
export const HANGUP = 0x10;
const MAX_EVENTS = 32;
/** `struct epoll_event` is packed on x86_64 only. */
const EVENT_BYTES = arch === "x86_64" ? 12 : 16;
const DATA_AT = EVENT_BYTES - 8;

export type Ready = (events: number) => void;

export interface Timer {
  cancel(): void;
}

export class EventLoop implements Disposable {
  readonly #epoll: Handle = callForHandle("epoll_create1", "", EPOLL_CLOEXEC);
  readonly #handlers = new Map<number, Ready>();
  readonly #events = new Uint8Array(EVENT_BYTES * MAX_EVENTS);
  #timers: { at: number; run: () => void }[] = [];
  #stopped = false;

  /** Calls `ready` whenever the descriptor is readable (or what `events` says) or has been hung up. */
  watch(fd: number, ready: Ready, events: number = READABLE): void {
    const operation = this.#handlers.has(fd) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    const event = new Uint8Array(EVENT_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, events, true);
    view.setInt32(DATA_AT, fd, true);
    call("epoll_ctl", `descriptor ${fd}`, this.#epoll.fd, operation, fd, event);
    this.#handlers.set(fd, ready);
  }

  /** Stops watching; to be called before the descriptor is closed. */
  unwatch(fd: number): void {
    if (this.#handlers.delete(fd)) attempt("epoll_ctl", this.#epoll.fd, EPOLL_CTL_DEL, fd, new Uint8Array(EVENT_BYTES));
  }

  isWatching(fd: number): boolean {
    return this.#handlers.has(fd);
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: monotonicMs() + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Handles events until `stop` is called (or nothing is left to wait for). */
  run(): void {
    this.#stopped = false;
    while (!this.#stopped && (this.#handlers.size > 0 || this.#timers.length > 0)) this.turn();
  }

  /** Waits once, and handles what has happened. */
  turn(): void {
    const events = this.#events;
    const view = new DataView(events.buffer);
    const count = attempt("epoll_pwait", this.#epoll.fd, events, MAX_EVENTS, this.#timeoutMs(), null, 8);
    for (let index = 0; index < count && !this.#stopped; index++) {
      const at = index * EVENT_BYTES;
      this.#handlers.get(view.getInt32(at + DATA_AT, true))?.(view.getUint32(at, true));
    }
    if (!this.#stopped) this.#runTimers();
  }

  #timeoutMs(): number {
    if (this.#timers.length === 0) return -1;
    const next = Math.min(...this.#timers.map((timer) => timer.at));
    return Math.max(0, Math.ceil(next - monotonicMs()));
  }

  #runTimers(): void {
    if (this.#timers.length === 0) return;
    const now = monotonicMs();
    const due = this.#timers.filter((timer) => timer.at <= now);
    this.#timers = this.#timers.filter((timer) => timer.at > now);
    for (const timer of due) timer.run();
  }

  [Symbol.dispose](): void {
    this.#epoll.close();
  }
}
