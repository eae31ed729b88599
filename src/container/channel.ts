/**
 * What a container's first process and the process that makes it say to each other: one JSON message a packet.
 */
import { Failure } from "../failure.ts";
import { decode, utf8 } from "../linux/door.ts";
import type { Handle } from "../linux/fd.ts";
import { receiveMessage, sendMessage } from "../linux/socket.ts";

/** To the first process. */
export type Order =
  /** Its user ids are mapped. */
  | { readonly say: "mapped" }
  /** All that is outside is done: become the user's program. */
  | { readonly say: "go" };

/** From the first process. */
export type Report =
  | { readonly say: "warning"; readonly text: string }
  /** Its root is made; comes with the terminal's master, if there is one. */
  | { readonly say: "rooted" }
  /** From the process that entered a container for exec: its child, whose pidfd comes with it, is the program. */
  | { readonly say: "entered"; readonly pid: number }
  /** From a monitor: the container runs. */
  | { readonly say: "running"; readonly id: string }
  /** From that child, with its terminal's master. */
  | { readonly say: "terminal" }
  | { readonly say: "failed"; readonly message: string; readonly hint?: string; readonly exitCode: number };

const MESSAGE_LIMIT_BYTES = 64 * 1024;

export function send(socketFd: number, message: Order | Report, fds: readonly number[] = []): void {
  sendMessage(socketFd, utf8(JSON.stringify(message)), [...fds]);
}

export interface Received<M> {
  readonly message: M;
  readonly fds: readonly Handle[];
}

/** The next message; undefined if the other side has closed: it has become another program, or died. */
export function receive<M extends Order | Report>(socketFd: number): Received<M> | undefined {
  const packet = receiveMessage(socketFd, MESSAGE_LIMIT_BYTES);
  if (packet === undefined) return undefined;
  // Both sides are this program, one a fork of the other.
  return { message: JSON.parse(decode(packet.bytes)) as M, fds: packet.fds };
}

/** What the other side has reported, as the error that it is. */
export function failureOf({ message, hint, exitCode }: Extract<Report, { say: "failed" }>): Failure {
  return new Failure(message, { hint, exitCode });
}

/** Waits for one kind of report, telling warnings on the way; throws what is reported as a failure. */
export function awaitReport<S extends Report["say"]>(
  socketFd: number,
  say: S | "end",
  warn: (text: string) => void,
): Received<Extract<Report, { say: S }>> | undefined {
  for (;;) {
    const received = receive<Report>(socketFd);
    if (received === undefined) {
      if (say === "end") return undefined;
      throw new Failure("the container's process was ended while it was made");
    }
    const { message } = received;
    if (message.say === "failed") throw failureOf(message);
    if (message.say === "warning") warn(message.text);
    else if (message.say === say) return received as Received<Extract<Report, { say: S }>>;
  }
}
