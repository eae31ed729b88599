/**
 * Promises of what comes from the kernel. The engine runs promise jobs until there are none left, and then ends; nothing of it
 * waits for descriptors. So the waiting is a job itself: as long as somebody awaits something of a loop, a job turns the
 * loop, and comes back after the jobs that this has made.
 */
import { EventLoop } from "./eventloop.ts";

/**
 * How often the turning job goes to the end of the queue before it waits again: a chain of so many awaits is worked off
 * before that. Longer ones lose nothing: they go on after the next event, and while nothing is awaited from the
 * kernel nothing waits.
 */
const HOPS = 100;

export interface Settle<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export class Turns implements Disposable {
  readonly loop = new EventLoop();
  readonly #open = new Set<(error: unknown) => void>();
  #isTurning = false;

  /**
   * A promise that a handler of the loop is going to settle.
   * @param start makes that handler known to the loop, and is called at once
   */
  promise<T>(start: (settle: Settle<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (this.#open.delete(fail)) reject(error);
      };
      const done = (value: T): void => {
        if (this.#open.delete(fail)) resolve(value);
      };
      this.#open.add(fail);
      try {
        start({ resolve: done, reject: fail });
      } catch (error) {
        fail(error);
      }
      if (!this.#isTurning) void this.#turn();
    });
  }

  /** When a descriptor has something to read, or its other side is closed (a pidfd: when its process has ended). */
  readable(fd: number): Promise<void> {
    return this.promise(({ resolve }) => {
      this.loop.watch(fd, () => {
        this.loop.unwatch(fd);
        resolve();
      });
    });
  }

  after(delayMs: number): Promise<void> {
    return this.promise(({ resolve }) => {
      this.loop.after(delayMs, resolve);
    });
  }

  async #turn(): Promise<void> {
    this.#isTurning = true;
    try {
      while (this.#open.size > 0) {
        for (let hop = 0; hop < HOPS; hop++) await undefined;
        if (this.#open.size > 0) this.loop.turn();
      }
    } catch (error) {
      // A handler's mistake is everybody's who waits: nobody would ever hear of it otherwise.
      for (const fail of [...this.#open]) fail(error);
    } finally {
      this.#isTurning = false;
    }
  }

  [Symbol.dispose](): void {
    this.loop[Symbol.dispose]();
  }
}
