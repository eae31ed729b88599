/**
 * A number of places that tasks take one after another: as many work at once as there are places. Pure.
 */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** A place, as soon as there is one; its scope's end gives it back. */
  async take(): Promise<Disposable> {
    const free = this.tryTake();
    if (free !== undefined) return free;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
    return this.#place();
  }

  /** A place, if there is one now. */
  tryTake(): Disposable | undefined {
    if (this.#free === 0) return undefined;
    this.#free--;
    return this.#place();
  }

  #place(): Disposable {
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        // It goes to the next in the row without being free in between.
        const next = this.#waiting.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }
}
