/**
 * Where a container that has been made waits to be started: `create` and `start` are two processes, and between them nobody is
 * there but the container's first process. It has a datagram socket by a path of the host's, which comes to it as a descriptor;
 * what reaches the socket is the order to start. That the socket's file is there means that nobody has started the container:
 * whoever removes it may.
 */
import { Failure } from "../failure.ts";
import { decode } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { removeFile } from "../linux/hostpath.ts";
import { waitForAny } from "../linux/poll.ts";
import { exit } from "../linux/process.ts";
import { blockExactly, forwardableSignals, nextSignal, SIG, signalDescriptor } from "../linux/signal.ts";
import { bindAt, connectTo, receiveMessage, SOCK, socketPair } from "../linux/socket.ts";
import { hear, type Order, send } from "./channel.ts";

const ORDER_LIMIT_BYTES = 4096;

/** Signals that end no process unless it handles them. */
const HARMLESS: readonly number[] = [SIG.CHLD, SIG.WINCH, SIG.CONT, 23];

/** Makes the socket, for the first process to inherit. */
export function openGate(path: string): Handle {
  return bindAt(path, SOCK.datagram);
}

export interface StartOrder {
  /** What this process is called on the host, for its hooks. */
  readonly pid: number;
  /** To whoever starts it; undefined where it cannot be had. */
  readonly channel: Handle | undefined;
}

/**
 * Waits for the order to start. Meanwhile signals that would end any other process end this one, too, though the first process
 * of a PID namespace need not heed them (pid_namespaces(7)). Only read(2) is needed: a filter may let nothing else pass.
 */
export function awaitStart(gate: Handle): StartOrder {
  const signals = forwardableSignals();
  blockExactly(signals);
  try {
    using arrived = signalDescriptor(signals);
    for (;;) {
      const ready = waitForAny([gate.fd, arrived.fd]);
      if (ready !== arrived.fd) break;
      const signal = nextSignal(arrived.fd)?.signal;
      if (signal !== undefined && !HARMLESS.includes(signal)) exit(128 + signal);
    }
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
  return receiveStart(gate.fd);
}

function receiveStart(gateFd: number): StartOrder {
  try {
    const message = receiveMessage(gateFd, ORDER_LIMIT_BYTES);
    if (message === undefined) exit(1);
    const order = JSON.parse(decode(message.bytes)) as Order;
    return { pid: order.say === "start" ? order.pid : 0, channel: message.fds[0] };
  } catch (error) {
    // A program that may have no more than three files open: there is no room for the channel.
    if (error instanceof RangeError) return { pid: 0, channel: undefined };
    if (!isErrno(error, "EPERM", "ENOSYS", "EACCES")) throw error;
    const order = hear(gateFd);
    return { pid: order?.say === "start" ? order.pid : 0, channel: undefined };
  }
}

/**
 * Starts what waits behind the gate. Returns the channel on which the first process tells what becomes of it: it ends when the
 * program runs. Undefined if somebody else has started it.
 */
export function passGate(path: string, pid: number): Handle | undefined {
  try {
    using gate = connectTo(path, SOCK.datagram);
    if (!removeFile(path)) return undefined;
    const [ours, theirs] = socketPair();
    using _theirs = theirs;
    send(gate.fd, { say: "start", pid }, [theirs.fd]);
    return ours;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    // Nobody has it open any more.
    if (isErrno(error, "ECONNREFUSED"))
      throw new Failure("cannot start a container that has stopped", { cause: error });
    throw error;
  }
}
