/**
 * The supervisor of a detached container: a fork of the command that goes on in the background, without its terminal.
 * It owns the container's streams, writes the log, notes the exit status and cleans up.
 */
import { Failure } from "../failure.ts";
import { attempt } from "../linux/error.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { type Handle, placeAt, setNonblocking } from "../linux/fd.ts";
import { O_RDWR, openHost } from "../linux/hostpath.ts";
import { pipe } from "../linux/io.ts";
import { type Child, type Ending, exit, fork, setsid } from "../linux/process.ts";
import { socketPair } from "../linux/socket.ts";
import { setTitle } from "../linux/title.ts";
import { awaitReport, send } from "./channel.ts";
import { LogWriter, type StreamName } from "./log.ts";
import { reportFailure } from "./program.ts";
import { Spectators } from "./spectators.ts";
import { supervise } from "./supervise.ts";

/**
 * Forks a monitor, which makes the container by `make` and, when it runs, stays with `stay`.
 * Returns the container's id in the command's process, when it runs; throws what kept it from running.
 */
export function inMonitor<T extends { readonly id: string }>(
  make: () => T,
  stay: (made: T) => void,
  warn: (text: string) => void,
): string {
  const [ours, theirs] = socketPair();
  const monitor = fork();
  if (monitor === undefined) {
    ours.close();
    try {
      setsid();
      const made = make();
      leaveTerminal();
      send(theirs.fd, { say: "running", id: made.id });
      theirs.close();
      stay(made);
    } catch (error) {
      if (theirs.isOpen) reportFailure(theirs.fd, error);
      exit(1);
    }
    exit(0);
  }
  theirs.close();
  using _ours = ours;
  monitor.pidfd.close();
  const running = awaitReport(ours.fd, "running", { warn });
  if (running === undefined) throw new Failure("the container's supervisor ended");
  return running.message.id;
}

/** From here on nobody's terminal, pipe or directory is held open. */
function leaveTerminal(): void {
  using nothing = openHost("/dev/null", O_RDWR);
  for (const fd of [0, 1, 2]) placeAt(nothing.fd, fd);
  attempt("chdir", "/");
  setTitle("mycontainer-monitor");
}

/** The streams of a detached container: nothing to read, and what it writes comes to the monitor. */
export interface LoggedStreams extends Disposable {
  readonly fds: readonly [number, number, number];
  /** To be called once the program runs: closes its ends here. */
  started(): void;
  readonly sources: readonly { readonly stream: StreamName; readonly from: Handle }[];
}

export function loggedStreams(): LoggedStreams {
  const stack = new DisposableStack();
  const nothing = stack.use(openHost("/dev/null", O_RDWR));
  const [outRead, outWrite] = pipe();
  const [errRead, errWrite] = pipe();
  for (const handle of [outRead, outWrite, errRead, errWrite]) stack.use(handle);
  return {
    fds: [nothing.fd, outWrite.fd, errWrite.fd],
    started() {
      for (const handle of [nothing, outWrite, errWrite]) handle.close();
    },
    sources: [
      { stream: "stdout", from: outRead },
      { stream: "stderr", from: errRead },
    ],
    [Symbol.dispose]() {
      stack.dispose();
    },
  };
}

/** What else is done in the loop, until the container ends. */
type Checks = (loop: EventLoop) => Disposable | undefined;

const CHUNK_BYTES = 32 * 1024;

/** Logs what comes from the sources until the container's first process ends, and what it has left behind then. */
export function superviseLogging(
  child: Child,
  sources: LoggedStreams["sources"],
  logPath: string,
  { checks, ...options }: { signals: readonly number[]; timeoutMs?: number; checks: Checks },
  look: { readonly stand: Handle; readonly terminal: Handle | undefined; readonly interactive: boolean },
): Ending {
  using log = new LogWriter(logPath);
  using loop = new EventLoop();
  using _checks = checks(loop);
  const buffer = new Uint8Array(CHUNK_BYTES);
  const spectators = new Spectators(loop, look.stand, look.terminal, { interactive: look.interactive });
  const readFrom = (stream: StreamName, from: Handle): boolean => {
    const count = attempt("read", from.fd, buffer, CHUNK_BYTES);
    if (count > 0) {
      log.take(stream, buffer.subarray(0, count));
      spectators.tell(stream, buffer.subarray(0, count));
    }
    // EIO is the end of a terminal; EAGAIN is only that there is no more now.
    else if (count !== -EAGAIN && loop.isWatching(from.fd)) loop.unwatch(from.fd);
    return count > 0;
  };
  for (const { stream, from } of sources) {
    setNonblocking(from.fd, true);
    loop.watch(from.fd, () => readFrom(stream, from));
  }
  const ending = supervise({ child, loop, forward: true, ...options });
  for (const { stream, from } of sources) while (readFrom(stream, from)) {}
  spectators.end();
  return ending;
}
const EAGAIN = 11;
