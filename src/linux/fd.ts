/**
 * Descriptors as handles: closed with their scope (`using`), never by a finalizer, and CLOEXEC from birth.
 */

import type { Argument } from "./door.ts";
import { attempt, call } from "./error.ts";
import type { CallName } from "./syscalls.ts";

/** `AT_FDCWD`: paths are relative to the working directory. */
export const AT_FDCWD = -100;

/** An open descriptor that its holder owns. */
export class Handle implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The descriptor's number. */
  get fd(): number {
    if (this.#fd < 0) throw new Error("the handle has been closed");
    return this.#fd;
  }

  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /** Gives up ownership: the caller closes the descriptor. */
  release(): number {
    const fd = this.fd;
    this.#fd = -1;
    return fd;
  }

  close(): void {
    const fd = this.#fd;
    if (fd < 0) return;
    this.#fd = -1;
    attempt("close", fd);
  }

  /** As `close`, without another call on the way: it is what happens most often. */
  [Symbol.dispose](): void {
    const fd = this.#fd;
    if (fd < 0) return;
    this.#fd = -1;
    attempt("close", fd);
  }
}

/** Makes a call whose result is a new descriptor. */
export function callForHandle(
  name: CallName,
  about: string,
  a?: Argument,
  b?: Argument,
  c?: Argument,
  d?: Argument,
  e?: Argument,
): Handle {
  return new Handle(call(name, about, a, b, c, d, e));
}

const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const FD_CLOEXEC = 1;
export const O_NONBLOCK = 0o4000;

/** Whether execve(2) closes the descriptor. */
export function setCloexec(fd: number, closes: boolean): void {
  call("fcntl", `descriptor ${fd}`, fd, F_SETFD, closes ? FD_CLOEXEC : 0);
}

/** Whether a descriptor with this number is open. */
export function isOpen(fd: number): boolean {
  return attempt("fcntl", fd, F_GETFD) >= 0;
}

/** Whether a descriptor is open and came from whoever executed us, as those do that are not CLOEXEC: all of ours are. */
export function isInherited(fd: number): boolean {
  const flags = attempt("fcntl", fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) === 0;
}

export function setNonblocking(fd: number, nonblocking: boolean): void {
  const flags = call("fcntl", `descriptor ${fd}`, fd, F_GETFL);
  call("fcntl", `descriptor ${fd}`, fd, F_SETFL, nonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/** Another descriptor of the same open file, CLOEXEC, with at least this number. */
export function duplicate(fd: number, atLeast = 3): Handle {
  return callForHandle("fcntl", `descriptor ${fd}`, fd, F_DUPFD_CLOEXEC, atLeast);
}

/** Makes `to` a descriptor of what `from` is, open across execve(2): dup2(2), also where both are the same. */
export function placeAt(from: number, to: number): void {
  if (from === to) setCloexec(to, false);
  else call("dup3", `descriptor ${from}`, from, to, 0);
}
