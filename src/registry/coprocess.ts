/**
 * The program that does exchanges, from its start to its end.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { openHost } from "../linux/hostpath.ts";
import { pipe, readAllText } from "../linux/io.ts";
import { sendSignal, waitFor } from "../linux/process.ts";
import { besideExecutable } from "../linux/program.ts";
import { SIG } from "../linux/signal.ts";
import { socketPair } from "../linux/socket.ts";
import { startFetch } from "./confine.ts";

const COMPLAINT_LIMIT_BYTES = 64 * 1024;
const PROGRAM = "mycontainer-fetch";

/** The program at work; its scope's end is its end as well. */
export interface Coprocess extends Disposable {
  readonly socket: Handle;
  /** After the other side of the socket was closed: what the program has said of it. */
  readonly whyEnded: () => Failure;
}

export function startProgram(): Coprocess {
  const path = besideExecutable(PROGRAM);
  using ends = new DisposableStack();
  using stack = new DisposableStack();
  const [socket, socketEnd] = socketPair();
  const [complaint, complaintEnd] = pipe();
  for (const end of [socketEnd, complaintEnd]) ends.use(end);
  for (const end of [socket, complaint]) stack.use(end);
  try {
    using program = openHost(path, 0);
    const child = startFetch(program, socketEnd, complaintEnd);
    stack.defer(() => {
      sendSignal(child.pidfd.fd, SIG.KILL);
      waitFor(child);
      child.pidfd.close();
    });
    const kept = stack.move();
    return {
      socket,
      whyEnded: () => {
        const said = readAllText(complaint.fd, "the complaint", COMPLAINT_LIMIT_BYTES).trim();
        return new Failure(`the program for HTTP, ${PROGRAM}, has ended${said === "" ? "" : `: ${said}`}`);
      },
      [Symbol.dispose]: () => kept.dispose(),
    };
  } catch (error) {
    if (!isErrno(error, "ENOENT") || error.about !== path) throw error;
    throw new Failure(`${path} is missing`, { hint: "it is built together with mycontainer: 'npm run build'" });
  }
}
