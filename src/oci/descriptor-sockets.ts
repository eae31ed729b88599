/**
 * `--console-socket` and `--pidfd-socket`: the terminal's master, or a pidfd of the first process, goes to whoever listens there,
 * mostly an engine's monitor.
 */
import { Failure } from "../failure.ts";
import { utf8 } from "../linux/door.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { connectTo, sendMessage } from "../linux/socket.ts";

/** The name that goes with the descriptor: receivers show it at most. */
const NAMES = { console: "/dev/ptmx", pidfd: "pidfd" } as const;

/** Throws a Failure if nobody listens. */
export function sendTerminal(path: string, master: Handle): void {
  sendTo("console", path, master);
}

/** As `sendTerminal`. */
export function sendPidfd(path: string, pidfd: Handle): void {
  sendTo("pidfd", path, pidfd);
}

function sendTo(kind: keyof typeof NAMES, path: string, handle: Handle): void {
  using socket = connect(kind, path);
  sendMessage(socket.fd, utf8(NAMES[kind]), [handle.fd]);
}

function connect(kind: keyof typeof NAMES, path: string): Handle {
  try {
    return connectTo(path);
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw new Failure(`cannot reach the ${kind} socket ${path}: ${error.code}`, {
      hint: "somebody must listen there before the process is made",
      cause: error,
    });
  }
}
