/**
 * Watching over a container's first process: forwards signals to it, and waits for its end.
 */
import type { EventLoop } from "../linux/eventloop.ts";
import { type Child, type Ending, reapIfEnded, sendSignal, waitFor } from "../linux/process.ts";
import { nextSignal, SIG, signalDescriptor } from "../linux/signal.ts";

export interface SuperviseOptions {
  readonly child: Child;
  readonly loop: EventLoop;
  /** The blocked signals that are taken here. */
  readonly signals: readonly number[];
  /** Whether they are passed on to the container (`--sig-proxy`). */
  readonly forward: boolean;
  readonly resized?: () => void;
  /** Milliseconds until the container is killed; undefined for never (`--timeout`). */
  readonly timeoutMs?: number;
}

/** How often a user must ask for the end until it is enforced, as with docker. */
const FORCED_AT_REQUESTS = 3;

/** Waits for the end of the container's first process, and reaps it. */
export function supervise(options: SuperviseOptions): Ending {
  const { child, loop } = options;
  let ending: Ending | undefined;
  let requests = 0;
  using signals = signalDescriptor(options.signals);
  const take = () => {
    for (let next = nextSignal(signals.fd); next !== undefined; next = nextSignal(signals.fd)) {
      const { signal } = next;
      if (signal === SIG.WINCH && options.resized !== undefined) {
        options.resized();
        continue;
      }
      const isRequest = signal === SIG.INT || signal === SIG.TERM;
      if (isRequest) requests++;
      // The first process of a PID namespace gets only signals that it handles (pid_namespaces(7)); KILL always reaches it.
      const forced = isRequest && requests >= FORCED_AT_REQUESTS;
      if (forced || options.forward) sendSignal(child.pidfd.fd, forced ? SIG.KILL : signal);
    }
  };
  loop.watch(signals.fd, take);
  loop.watch(child.pidfd.fd, () => {
    ending = reapIfEnded(child);
    if (ending !== undefined) loop.stop();
  });
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : loop.after(options.timeoutMs, () => sendSignal(child.pidfd.fd, SIG.KILL));
  loop.run();
  timer?.cancel();
  loop.unwatch(signals.fd);
  loop.unwatch(child.pidfd.fd);
  return ending ?? waitFor(child);
}
