/**
 * `--console-socket`: the terminal's master goes to whoever listens there, mostly an engine's monitor. `--pidfd-socket`: so
 * does a pidfd of a process that was started.
 */
import { Failure } from "../failure.ts";
import { utf8 } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { connectTo, sendMessage } from "../linux/socket.ts";

/** The name that goes with the descriptor: receivers show it at most. */
const TERMINAL_NAME = "/dev/ptmx";
const PIDFD_NAME = "pidfd";

export function sendTerminal(path: string, master: Handle): void {
  sendTo(path, "console socket", TERMINAL_NAME, master);
}

export function sendPidfd(path: string, pidfd: Handle): void {
  sendTo(path, "pidfd socket", PIDFD_NAME, pidfd);
}

function sendTo(path: string, what: string, name: string, handle: Handle): void {
  let socket: Handle;
  try {
    socket = connectTo(path);
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw new Failure(`cannot reach the ${what} ${path}: ${error.code}`, {
      hint: "somebody must listen there before the container is made",
      cause: error,
    });
  }
  using _socket = socket;
  sendMessage(socket.fd, utf8(name), [handle.fd]);
}
