/**
 * The standard streams of a container in the foreground. They are handed on as they are, without copying, with one exception:
 * a terminal of the host's is never given to a container, since who has a terminal open can type on it (TIOCSTI).
 */
import { attempt } from "../linux/error.ts";
import type { EventLoop } from "../linux/eventloop.ts";
import { duplicate, type Handle, setNonblocking } from "../linux/fd.ts";
import { pipe } from "../linux/io.ts";
import { Relay } from "../linux/relay.ts";
import {
  getTermios,
  getWindowSize,
  isTerminal,
  rawTermios,
  setTermios,
  setWindowSize,
  type Termios,
} from "../linux/tty.ts";

const [STDIN, STDOUT, STDERR] = [0, 1, 2] as const;
/** What a terminal sends for the end of input. */
const END_OF_TRANSMISSION = 4;

/** What the program's streams are, and what copies to and from them. */
export interface ForegroundStreams extends Disposable {
  /** For the program. */
  readonly fds: readonly [number, number, number];
  /** To be called once the program runs: closes the program's ends here. */
  started(loop: EventLoop): void;
  /** Passes on what is left, at the program's end. */
  finish(): void;
}

/** Streams of a program without a terminal of its own. */
export function plainStreams(): ForegroundStreams {
  const stack = new DisposableStack();
  const programEnds: Handle[] = [];
  const relays: { from: Handle | number; to: Handle | number }[] = [];
  const running: Relay[] = [];
  const streamFor = (fd: number): number => {
    if (!isTerminal(fd)) return fd;
    const [readable, writable] = pipe();
    const [program, own] = fd === STDIN ? [readable, writable] : [writable, readable];
    programEnds.push(program);
    stack.use(own);
    relays.push(fd === STDIN ? { from: fd, to: own } : { from: own, to: fd });
    return program.fd;
  };
  const fds = [streamFor(STDIN), streamFor(STDOUT), streamFor(STDERR)] as const;
  const number = (end: Handle | number): number => (typeof end === "number" ? end : end.fd);
  return {
    fds,
    started(loop) {
      for (const end of programEnds) end.close();
      for (const { from, to } of relays) {
        if (typeof from !== "number") setNonblocking(from.fd, true);
        const ended = () => {
          if (typeof to !== "number") to.close();
        };
        running.push(new Relay(loop, { from: number(from), to: number(to), ended }));
      }
    },
    finish() {
      for (const [index, relay] of running.entries()) if (typeof relays[index]?.from !== "number") relay.drain();
    },
    [Symbol.dispose]() {
      for (const end of programEnds) end.close();
      stack.dispose();
    },
  };
}

export interface TerminalSession extends Disposable {
  /** Takes over the size of the terminal that we run in. */
  resize(): void;
  finish(): void;
}

/**
 * Connects our terminal (or whatever our standard streams are) with the container's terminal.
 * @param interactive whether input is passed on
 */
export function connectTerminal(loop: EventLoop, master: Handle, interactive: boolean): TerminalSession {
  setNonblocking(master.fd, true);
  const input = duplicate(master.fd);
  const ownTerminal = [STDIN, STDOUT].find((fd) => isTerminal(fd));
  let saved: Termios | undefined;
  if (interactive && isTerminal(STDIN)) {
    saved = getTermios(STDIN);
    setTermios(STDIN, rawTermios(saved));
  }
  const resize = () => {
    const size = ownTerminal === undefined ? undefined : getWindowSize(ownTerminal);
    if (size !== undefined) setWindowSize(master.fd, size);
  };
  resize();
  const output = new Relay(loop, { from: master.fd, to: STDOUT });
  const typed = interactive ? new Relay(loop, { from: STDIN, to: input.fd, ended: () => endInput(input) }) : undefined;
  return {
    resize,
    finish() {
      output.drain();
    },
    [Symbol.dispose]() {
      typed?.stop();
      output.stop();
      if (saved !== undefined) setTermios(STDIN, saved);
      input.close();
      master.close();
    },
  };
}

function endInput(input: Handle): void {
  if (input.isOpen) attempt("write", input.fd, new Uint8Array([END_OF_TRANSMISSION]), 1);
}
