/**
 * `--init`: a first process that is ours. It makes the user's program its child, passes signals on to it, reaps whatever
 * loses its parent, and ends as the program ends.
 */
import { attempt } from "../linux/error.ts";
import { EventLoop } from "../linux/eventloop.ts";
import { type Ending, exit, exitCodeOf, fork, kill, PR, prctl, reapAny } from "../linux/process.ts";
import { blockExactly, forwardableSignals, nextSignal, SIG, signalDescriptor } from "../linux/signal.ts";

/**
 * Forks: the child comes back from here to become the program; this process stays, and never comes back.
 * @param confine gives up the privileges that the program does not have either
 */
export function stayAsInit(confine: () => void): void {
  const signals = [...forwardableSignals(), SIG.CHLD];
  blockExactly(signals);
  const program = fork();
  if (program === undefined) return;
  // The program is the one that has the streams, and tells what becomes of it: what is held open here would never end.
  attempt("close_range", 0, 0xffffffff, 0);
  confine();
  // Changing ids has cleared it.
  prctl(PR.setPdeathsig, SIG.KILL);
  using loop = new EventLoop();
  using descriptor = signalDescriptor(signals);
  let ending: Ending | undefined;
  const reap = () => {
    for (let ended = reapAny(); ended !== undefined; ended = reapAny()) {
      if (ended.pid === program.pid) ending = ended.ending;
    }
    if (ending !== undefined) loop.stop();
  };
  loop.watch(descriptor.fd, () => {
    for (let next = nextSignal(descriptor.fd); next !== undefined; next = nextSignal(descriptor.fd)) {
      if (next.signal === SIG.CHLD) reap();
      else kill(program.pid, next.signal);
    }
  });
  loop.run();
  exit(ending === undefined ? 1 : exitCodeOf(ending));
}
