/**
 * criu(8), which writes processes to disk and makes them anew, by its RPC: `criu swrk FD` takes one request on a socket, tells of
 * what it is about to do, and answers. Source: criu.org/RPC, images/rpc.proto.
 */
import { joinCgroup, openForClone, openForJoin } from "../cgroup/apply.ts";
import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";
import { duplicate, type Handle, placeAt } from "../linux/fd.ts";
import { statusOf } from "../linux/hostpath.ts";
import { type Child, execve, exit, fork, waitFor } from "../linux/process.ts";
import { receiveMessage, sendMessage, socketPair } from "../linux/socket.ts";
import { decodeFields, encodeFields, type Field, messageIn, numberIn, textIn } from "./protobuf.ts";

/** enum criu_req_type. */
export const REQUEST = { dump: 1, restore: 2, preDump: 4, notify: 6, version: 10 } as const;
/** Of criu_req and criu_resp. */
const [TYPE, OPTIONS, NOTIFY_SUCCESS] = [1, 2, 3] as const;
const RESPONSE = { type: 1, success: 2, restore: 4, notify: 5, errno: 7, message: 9 } as const;
const MESSAGE_LIMIT_BYTES = 1024 * 1024;
/** Below the descriptors that a restored process is to inherit there is nothing but its standard streams. */
const SOCKET_FD = 3;
/** Where the first of `CriuRequest.inherited` is in criu's process. */
export const FIRST_INHERITED_FD = SOCKET_FD + 1;
/** Above all descriptors that are placed, so that none takes the place of another. */
const ASIDE_FD = 64;
const EXECUTABLE = 0o111;
const NOT_FOUND = 127;
const STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface CriuRequest {
  readonly type: (typeof REQUEST)[keyof typeof REQUEST];
  /** criu_opts. */
  readonly options: readonly Field[];
  /** What criu's process has open from `FIRST_INHERITED_FD` on. */
  readonly inherited?: readonly Handle[];
  /** The cgroup that criu is to run in; ours without. */
  readonly cgroupPath?: string | undefined;
  /** The log that criu writes, for errors. */
  readonly log: string;
  /** Called before each stage; `fds` come with some. What it throws ends the whole. */
  readonly notified?: (stage: string, pid: number, fds: readonly Handle[]) => void;
}

export interface CriuAnswer {
  /** Of the restored first process, in our PID namespace. */
  readonly pid: number | undefined;
}

/** Has criu carry a request out. Throws a Failure if it is not installed, or fails. */
export function callCriu(request: CriuRequest): CriuAnswer {
  const [ours, theirs] = socketPair();
  const child = forkInto(request.cgroupPath);
  if (child === undefined) becomeCriu([theirs, ...(request.inherited ?? [])]);
  theirs.close();
  using socket = ours;
  try {
    const options = encodeFields(request.options);
    sendMessage(
      socket.fd,
      encodeFields([
        [TYPE, request.type],
        [OPTIONS, options],
      ]),
    );
    return converse(request, socket.fd, child);
  } finally {
    socket.close();
    waitFor(child);
    child.pidfd.close();
  }
}

function forkInto(cgroupPath: string | undefined): Child | undefined {
  if (cgroupPath === undefined) return fork();
  const joins = openForJoin(cgroupPath);
  using unified = openForClone(cgroupPath);
  const child = fork(0, unified?.fd);
  if (child === undefined) joinCgroup(joins);
  else for (const handle of joins) handle.close();
  return child;
}

function converse(request: CriuRequest, socketFd: number, child: Child): CriuAnswer {
  for (;;) {
    const received = receiveMessage(socketFd, MESSAGE_LIMIT_BYTES);
    if (received === undefined) throw noAnswer(child, request.log);
    const answer = decodeFields(received.bytes);
    if (numberIn(answer, RESPONSE.success) !== 1) {
      const errno = numberIn(answer, RESPONSE.errno);
      const told = textIn(answer, RESPONSE.message)?.trim();
      const text = told || (errno === undefined ? "no reason given" : `errno ${errno}`);
      throw new Failure(`criu failed: ${text}`, { hint: `its log is ${request.log}` });
    }
    if (numberIn(answer, RESPONSE.type) !== REQUEST.notify) {
      const restored = messageIn(answer, RESPONSE.restore);
      return { pid: restored === undefined ? undefined : numberIn(restored, 1) };
    }
    const notice = messageIn(answer, RESPONSE.notify);
    if (notice !== undefined) request.notified?.(textIn(notice, 1) ?? "", numberIn(notice, 2) ?? 0, received.fds);
    for (const handle of received.fds) handle.close();
    sendMessage(
      socketFd,
      encodeFields([
        [TYPE, REQUEST.notify],
        [NOTIFY_SUCCESS, true],
      ]),
    );
  }
}

function noAnswer(child: Child, log: string): Failure {
  const ending = waitFor(child);
  return ending.kind === "exited" && ending.status === NOT_FOUND
    ? notInstalled()
    : new Failure("criu ended without an answer", { hint: `its log is ${log}` });
}

function notInstalled(): Failure {
  return new Failure("criu is not installed", { hint: "on Debian: apt-get install criu" });
}

/** Where the host's PATH may have criu. What is found by way of the working directory is not the host's. */
function candidates(): string[] {
  const path = variable("PATH") ?? STANDARD_PATH;
  return path.split(":").flatMap((directory) => (directory.startsWith("/") ? [`${directory}/criu`] : []));
}

/** Throws a Failure if criu is not installed: to be asked before anything is changed. */
export function requireCriu(): void {
  const found = candidates().some((path) => {
    const status = statusOf(path);
    return status?.type === "file" && (status.mode & EXECUTABLE) !== 0;
  });
  if (!found) throw notInstalled();
}

/** In the forked process: the program `criu`, with these descriptors from `SOCKET_FD` on. */
function becomeCriu(handles: readonly Handle[]): never {
  try {
    const aside = handles.map(({ fd }) => duplicate(fd, ASIDE_FD).release());
    aside.forEach((fd, index) => {
      placeAt(fd, SOCKET_FD + index);
    });
    for (const path of candidates()) execve(path, ["criu", "swrk", String(SOCKET_FD)]);
  } finally {
    exit(NOT_FOUND);
  }
}
