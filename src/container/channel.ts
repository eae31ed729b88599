/**
 * What a container's first process and the process that makes it say to each other: one JSON message a packet.
 */
import { Failure, type FailureDetails } from "../failure.ts";
import { decode, utf8 } from "../linux/door.ts";
import type { Handle } from "../linux/fd.ts";
import { read, writeAll } from "../linux/io.ts";
import { receiveMessage, sendMessage } from "../linux/socket.ts";

/** To the first process. */
export type Order =
  /** Its user ids are mapped, and it is in its cgroup. */
  | { readonly say: "placed" }
  /** The host's hooks have run; with what the first process is called there, which those in the container are told. */
  | { readonly say: "hooked"; readonly pid: number }
  /** The ids of its mount are mapped. */
  | { readonly say: "mapped" }
  /** All that is outside is done: become the user's program. */
  | { readonly say: "go" }
  /** It is on record: go on without the process that made it, and wait to be started. */
  | { readonly say: "keep" }
  /** From whoever starts a container that was kept; with what the first process is called on the host. */
  | { readonly say: "start"; readonly pid: number };

/** From the first process. */
export type Report =
  | { readonly say: "warning"; readonly text: string }
  /** What it does now; only where that is asked for. */
  | { readonly say: "debug"; readonly text: string }
  /** A mount of its own comes with this, whose ids are to be mapped as the plan's step of that number has it. */
  | { readonly say: "map"; readonly step: number }
  /** The mounts of its root are made: now is the time of the host's hooks. Only where there are any. */
  | { readonly say: "mounted" }
  /** Its root is made; comes with the terminal's master, if there is one. */
  | { readonly say: "rooted" }
  /** All is done but the last steps to the program, for which it waits to be started. */
  | { readonly say: "ready" }
  /** It is filtered, and this descriptor of its is where calls are announced (seccomp_unotify(2)). */
  | { readonly say: "listener"; readonly fd: number }
  /** From the process that entered a container for exec: its child, whose pidfd comes with it, is the program. */
  | { readonly say: "entered"; readonly pid: number }
  /** From the process that locks mounts: some of them come with this. */
  | { readonly say: "locked" }
  /** From a monitor: the container runs. */
  | { readonly say: "running"; readonly id: string }
  /** From that child, with its terminal's master. */
  | { readonly say: "terminal" }
  | ({ readonly say: "failed"; readonly message: string; readonly exitCode: number } & Pick<
      FailureDetails,
      "hint" | "program"
    >);

const MESSAGE_LIMIT_BYTES = 64 * 1024;
/** Orders are short. */
const ORDER_LIMIT_BYTES = 1024;

export function send(socketFd: number, message: Order | Report, fds: readonly number[] = []): void {
  sendMessage(socketFd, utf8(JSON.stringify(message)), [...fds]);
}

/**
 * As `send`, by write(2) alone: from a process whose filter of system calls may let no other pass. If nobody listens any more,
 * the process ends by SIGPIPE.
 */
export function tell(socketFd: number, report: Report): void {
  writeAll(socketFd, JSON.stringify(report), "channel");
}

/** The next order, by read(2) alone; undefined if the other side has closed. */
export function hear(socketFd: number): Order | undefined {
  const buffer = new Uint8Array(ORDER_LIMIT_BYTES);
  const length = read(socketFd, buffer, "channel");
  return length === 0 ? undefined : (JSON.parse(decode(buffer, 0, length)) as Order);
}

export interface Received<M> {
  readonly message: M;
  readonly fds: readonly Handle[];
}

/** Made once: a second one would be written full of zeros. */
let incoming: Uint8Array | undefined;

/** The next message; undefined if the other side has closed: it has become another program, or died. */
export function receive<M extends Order | Report>(socketFd: number): Received<M> | undefined {
  incoming ??= new Uint8Array(MESSAGE_LIMIT_BYTES);
  const packet = receiveMessage(socketFd, MESSAGE_LIMIT_BYTES, incoming);
  if (packet === undefined) return undefined;
  // Both sides are this program, one a fork of the other.
  return { message: JSON.parse(decode(packet.bytes)) as M, fds: packet.fds };
}

/** What the other side has reported, as the error that it is. */
export function failureOf({ message, hint, exitCode, program }: Extract<Report, { say: "failed" }>): Failure {
  return new Failure(message, { hint, exitCode, program });
}

/** What is done with reports that may come at any time. */
export interface Listening {
  readonly warn: (text: string) => void;
  readonly debug?: ((text: string) => void) | undefined;
  /** Calls of the process are announced on this descriptor of its, which is to be taken now. */
  readonly listener?: (fd: number) => void;
  /** Has a mount of the process's map ids. */
  readonly map?: (mount: Handle, step: number) => void;
}

/** Waits for one kind of report, telling warnings on the way; throws what is reported as a failure. */
export function awaitReport<S extends Report["say"]>(
  socketFd: number,
  say: S | "end",
  { warn, debug, listener, map }: Listening,
): Received<Extract<Report, { say: S }>> | undefined {
  for (;;) {
    const received = receive<Report>(socketFd);
    if (received === undefined) {
      if (say === "end") return undefined;
      throw new Failure("the container's process was ended while it was made", {
        hint: "unless somebody has killed it, it was out of memory: is its limit too low?",
      });
    }
    const { message } = received;
    if (message.say === "failed") throw failureOf(message);
    if (message.say === "warning") warn(message.text);
    else if (message.say === "debug") debug?.(message.text);
    else if (message.say === "listener") {
      listener?.(message.fd);
      send(socketFd, { say: "go" });
    } else if (message.say === "map") {
      using mount = received.fds[0];
      if (mount !== undefined) map?.(mount, message.step);
      send(socketFd, { say: "mapped" });
    } else if (message.say === say) return received as Received<Extract<Report, { say: S }>>;
  }
}
