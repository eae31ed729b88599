/**
 * Copying from one descriptor to another within an event loop, with bounded memory: nothing is read that could not be written.
 */
import { attempt } from "./error.ts";
import { type EventLoop, READABLE, WRITABLE } from "./eventloop.ts";

const CHUNK_BYTES = 32 * 1024;
const EAGAIN = 11;

export interface RelayOptions {
  readonly from: number;
  readonly to: number;
  /** Called once, when the source has ended or the sink is gone. */
  readonly ended?: () => void;
  /** Looks at what is passed on, and may change or withhold it; undefined ends the relay. */
  readonly filter?: (data: Uint8Array) => Uint8Array | undefined;
}

/** A running copy. Neither descriptor is closed by it. */
export class Relay {
  readonly #loop: EventLoop;
  readonly #options: RelayOptions;
  readonly #buffer = new Uint8Array(CHUNK_BYTES);
  #rest: Uint8Array = new Uint8Array(0);
  #active = true;

  constructor(loop: EventLoop, options: RelayOptions) {
    this.#loop = loop;
    this.#options = options;
    try {
      loop.watch(options.from, () => this.#transfer());
    } catch {
      // A regular file cannot be waited for (epoll_ctl(2), EPERM): it is always ready, and read to its end at once.
      while (this.#active && this.#rest.length === 0) this.#transfer();
    }
  }

  get isActive(): boolean {
    return this.#active;
  }

  /** Passes on what the source has at once, until it has no more: at the end of a program. */
  drain(): void {
    while (this.#active && this.#transfer()) {}
  }

  stop(): void {
    if (!this.#active) return;
    this.#active = false;
    if (this.#loop.isWatching(this.#options.from)) this.#loop.unwatch(this.#options.from);
    if (this.#rest.length > 0 && this.#options.to !== this.#options.from) this.#loop.unwatch(this.#options.to);
    this.#options.ended?.();
  }

  /** Reads and writes once. Whether there may be more at once. */
  #transfer(): boolean {
    if (this.#rest.length > 0) return this.#flush();
    const count = attempt("read", this.#options.from, this.#buffer, CHUNK_BYTES);
    if (count === -EAGAIN) return false;
    // EIO is how a terminal's master says that nobody has the other side open any more.
    if (count <= 0) {
      this.stop();
      return false;
    }
    const data = this.#buffer.subarray(0, count);
    const passed = this.#options.filter === undefined ? data : this.#options.filter(data);
    if (passed === undefined) {
      this.stop();
      return false;
    }
    this.#rest = passed;
    return this.#flush();
  }

  #flush(): boolean {
    while (this.#rest.length > 0) {
      const written = attempt("write", this.#options.to, this.#rest, this.#rest.length);
      if (written === -EAGAIN) {
        this.#waitForSink();
        return false;
      }
      if (written < 0) {
        this.#rest = new Uint8Array(0);
        this.stop();
        return false;
      }
      this.#rest = this.#rest.subarray(written);
    }
    return true;
  }

  /** The sink is full: the source waits until it is not. The sink must not be watched by anybody else. */
  #waitForSink(): void {
    const { from, to } = this.#options;
    this.#rest = this.#rest.slice();
    if (this.#loop.isWatching(from)) this.#loop.unwatch(from);
    this.#loop.watch(
      to,
      () => {
        if (!this.#flush()) return;
        this.#loop.unwatch(to);
        this.#loop.watch(from, () => this.#transfer(), READABLE);
      },
      WRITABLE,
    );
  }
}
