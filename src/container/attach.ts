/**
 * `attach`: in front of a container that runs in the background. Its monitor passes on what it writes (spectators.ts).
 */
import { Failure } from "../failure.ts";
import { decode } from "../linux/door.ts";
import { attempt, isErrno } from "../linux/error.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { duplicate, type Handle } from "../linux/fd.ts";
import { writeAll } from "../linux/io.ts";
import { openPidfd, sendSignal } from "../linux/process.ts";
import { Relay } from "../linux/relay.ts";
import { blockExactly, forwardableSignals, nextSignal, restoreMask, SIG, signalDescriptor } from "../linux/signal.ts";
import { connectTo, type Message, receiveMessage, SOCK } from "../linux/socket.ts";
import { getTermios, getWindowSize, isTerminal, rawTermios, setTermios, setWindowSize } from "../linux/tty.ts";
import { beginWait, currentState } from "./control.ts";
import { detachFilter } from "./detach-keys.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { isPaused } from "./pause.ts";
import { type Greeting, PACKET, PACKET_LIMIT_BYTES } from "./spectators.ts";
import type { ContainerState } from "./state.ts";

const [STDIN, STDOUT, STDERR] = [0, 1, 2] as const;

export interface AttachOptions {
  /** Whether what is typed goes to the program, if it takes that. */
  readonly stdin: boolean;
  /** Whether signals go to the program; else they end the looking on. */
  readonly sigProxy: boolean;
  readonly detachKeys: Uint8Array;
}

export type Attached = { readonly kind: "ended"; readonly code: number } | { readonly kind: "detached" };

function connect(root: StateRoot, { id, name }: ContainerState): Handle {
  try {
    return connectTo(containerPaths(root, id).attach, SOCK.seqpacket);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ECONNREFUSED")) throw error;
    throw new Failure(`container '${name}' has no monitor to attach to`, {
      hint: "it runs in front of another command, or is just ending: attach to what runs with --detach",
      cause: error,
    });
  }
}

function greetingOf(message: Message | undefined): Greeting & { readonly terminal: Handle | undefined } {
  if (message === undefined) throw new Failure("the container is just ending");
  // The monitor's own words.
  const greeting = JSON.parse(decode(message.bytes.subarray(1))) as Greeting;
  return { ...greeting, terminal: message.fds[0] };
}

/** Stays in front of a container until it ends, or who sits there leaves. */
export function attachTo(root: StateRoot, id: string, options: AttachOptions): Attached {
  const state = currentState(root, id);
  if (state.status !== "running" || state.init === undefined) {
    throw new Failure(`container '${state.name}' is not running`, {
      hint: `'mycontainer start -a ${state.name}' runs it`,
    });
  }
  if (isPaused(state)) {
    throw new Failure(`container '${state.name}' is paused`, { hint: `first: mycontainer unpause ${state.name}` });
  }
  using waiting = beginWait(root, state);
  using stack = new DisposableStack();
  const connection = stack.use(connect(root, state));
  const { interactive, terminal } = greetingOf(receiveMessage(connection.fd, PACKET_LIMIT_BYTES));
  if (terminal !== undefined) stack.use(terminal);
  const loop = stack.use(new EventLoop());
  const session: { outcome: "ended" | "detached" | "lost" } = { outcome: "lost" };
  const stop = (outcome: typeof session.outcome) => {
    session.outcome = outcome;
    loop.stop();
  };
  loop.watch(connection.fd, () => {
    const message = receiveMessage(connection.fd, PACKET_LIMIT_BYTES);
    const kind = message?.bytes[0];
    if (message === undefined || kind === PACKET.end) return stop(message === undefined ? "lost" : "ended");
    writeAll(kind === PACKET.stderr ? STDERR : STDOUT, message.bytes.subarray(1));
  });
  const resize = () => {
    const size = [STDIN, STDOUT].flatMap((fd) => (isTerminal(fd) ? (getWindowSize(fd) ?? []) : []))[0];
    if (terminal !== undefined && size !== undefined) setWindowSize(terminal.fd, size);
  };
  resize();
  takeSignals(loop, state, stack, options.sigProxy, resize, () => stop("detached"));
  if (options.stdin && interactive && terminal !== undefined) {
    passTyped(loop, terminal, stack, options.detachKeys, () => stop("detached"));
  }
  loop.run();
  if (session.outcome === "detached") return { kind: "detached" };
  if (session.outcome === "ended") return { kind: "ended", code: waiting.end() };
  throw new Failure(`the connection to container '${state.name}' has gone`, {
    hint: "its output came faster than it could be shown, or its monitor was killed: 'mycontainer logs -f' shows all of it",
  });
}

/** Signals go to the program; with a terminal only those that do not come from its keys. */
function takeSignals(
  loop: EventLoop,
  state: ContainerState,
  stack: DisposableStack,
  isProxy: boolean,
  resize: () => void,
  leave: () => void,
): void {
  const signals = forwardableSignals();
  const mask = blockExactly(signals);
  stack.defer(() => restoreMask(mask));
  const arrived = stack.use(signalDescriptor(signals));
  const init = state.init === undefined ? undefined : openPidfd(state.init.pid);
  if (init !== undefined) stack.use(init);
  loop.watch(arrived.fd, () => {
    for (let next = nextSignal(arrived.fd); next !== undefined; next = nextSignal(arrived.fd)) {
      if (next.signal === SIG.WINCH) resize();
      else if (next.signal === SIG.CHLD) continue;
      else if (!isProxy) leave();
      else if (init !== undefined) sendSignal(init.fd, next.signal);
    }
  });
}

const END_OF_TRANSMISSION = 4;

/** What is typed goes to the program's terminal, until the keys to leave by are. */
function passTyped(
  loop: EventLoop,
  terminal: Handle,
  stack: DisposableStack,
  keys: Uint8Array,
  leave: () => void,
): void {
  const input = stack.use(duplicate(terminal.fd));
  if (isTerminal(STDIN)) {
    const saved = getTermios(STDIN);
    setTermios(STDIN, rawTermios(saved));
    stack.defer(() => setTermios(STDIN, saved));
  }
  const filter = detachFilter(keys);
  let isLeft = false;
  const relay = new Relay(loop, {
    from: STDIN,
    to: input.fd,
    filter: (typed) => {
      const passed = filter(typed);
      isLeft = passed === undefined;
      return passed;
    },
    ended: () => {
      if (isLeft) leave();
      else attempt("write", input.fd, new Uint8Array([END_OF_TRANSMISSION]), 1);
    },
  });
  stack.defer(() => relay.stop());
}
