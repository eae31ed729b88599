/**
 * SCMP_ACT_NOTIFY: a filter's listener is handed to an agent, a program outside that decides about calls (seccomp_unotify(2)).
 * The process that installs a filter can, from then on, make no call that the filter may announce: nobody would answer yet.
 * It says one word by write(2), which is never announced, and whoever made it takes the listener out of it by
 * pidfd_getfd(2) and passes it on: runtime-spec config-linux.md#containerprocessstate.
 */
import { Failure } from "../../failure.ts";
import { utf8 } from "../../linux/door.ts";
import { call, isErrno } from "../../linux/error.ts";
import type { Handle } from "../../linux/fd.ts";
import { takeDescriptor } from "../../linux/process.ts";
import { connectTo, sendMessage } from "../../linux/socket.ts";

/** The container's side of it: a packet as container/channel.ts has them. The listener stays open until it is taken. */
export function tellListener(listenerFd: number, socketFd: number): void {
  const packet = utf8(JSON.stringify({ say: "listener", fd: listenerFd }));
  call("write", `socket ${socketFd}`, socketFd, packet, packet.length);
}

export interface Listener {
  /** Of the process under the filter. */
  readonly pidfd: number;
  /** The listener's number there. */
  readonly fdNumber: number;
  /** `listenerPath` of the profile: a unix socket that an agent listens on. */
  readonly path: string;
  /** What the agent is told: `processState`. */
  readonly processState: string;
}

/** Hands the listener of another process to the agent. @throws Failure if nobody listens at the path */
export function forwardListener({ pidfd, fdNumber, path, processState }: Listener): void {
  using listener = takeListener(pidfd, fdNumber);
  try {
    using socket = connectTo(path);
    const message = utf8(processState);
    // The descriptor comes with the first byte; the rest follows, should the socket not take all at once.
    let sent = sendMessage(socket.fd, message, [listener.fd]);
    while (sent < message.length) sent += sendMessage(socket.fd, message.subarray(sent));
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw new Failure(
      `failed to connect with seccomp agent '${path}', which is to have the listener: ${error.message}`,
      {
        hint: isErrno(error, "ENOENT", "ECONNREFUSED", "ENOTSOCK")
          ? "start the agent that linux.seccomp.listenerPath is about before the container"
          : undefined,
        cause: error,
      },
    );
  }
}

function takeListener(pidfd: number, fdNumber: number): Handle {
  try {
    return takeDescriptor(pidfd, fdNumber);
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw new Failure(`cannot take the seccomp listener from the container's process: ${error.message}`, {
      hint: isErrno(error, "ENOSYS") ? "SCMP_ACT_NOTIFY needs Linux 5.6 or newer" : undefined,
      cause: error,
    });
  }
}

/**
 * The container process state, as JSON. Pure.
 * @param pid of the process under the filter; with exec, not that of the container's first
 * @param state the container's, as hooks read it
 */
export function processState(options: {
  readonly ociVersion: string;
  readonly pid: number;
  readonly metadata: string | undefined;
  readonly state: object;
}): string {
  const { ociVersion, pid, metadata = "", state } = options;
  return JSON.stringify({ ociVersion, fds: ["seccompFd"], pid, ...(metadata === "" ? {} : { metadata }), state });
}
