/**
 * A child born in namespaces of others. It is made by a process in between, which enters them first: this process stays where
 * it is, and yet the child is its own (CLONE_PARENT), to be waited for and signalled as any other.
 */
import { Failure } from "../failure.ts";
import { flagOf } from "../isolation/namespaces.ts";
import { attempt } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { type Child, CLONE, exit, fork, PR, prctl, setGroups, setIds, setns, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { socketPair } from "../linux/socket.ts";
import type { NamespaceType } from "../spec/config.ts";
import { awaitReport, hear, send } from "./channel.ts";
import { inStep } from "./init.ts";
import { reportFailure } from "./program.ts";

export interface Join {
  readonly type: NamespaceType;
  readonly handle: Handle;
}

const EPERM = 1;

/** As linux/process.ts `fork`, from within the namespaces of `joins`. Throws a Failure if one cannot be entered. */
export function forkInside(
  joins: readonly Join[],
  flags: number,
  cgroupFd: number | undefined,
  keepsGroups: boolean,
): Child | undefined {
  const [ours, theirs] = socketPair();
  const between = fork(0, cgroupFd);
  if (between === undefined) {
    ours.close();
    const child = makeChild(joins, flags, theirs.fd, keepsGroups);
    theirs.close();
    return child;
  }
  theirs.close();
  using own = ours;
  try {
    const born = awaitReport(own.fd, "entered", { warn: () => {} });
    const pidfd = born?.fds[0];
    if (born === undefined || pidfd === undefined) throw new Failure("the process that enters namespaces has ended");
    send(own.fd, { say: "go" });
    return { pid: born.message.pid, pidfd };
  } finally {
    waitFor(between);
    between.pidfd.close();
  }
}

/** In the process in between, which ends here; what comes back is its child. */
function makeChild(joins: readonly Join[], flags: number, socketFd: number, keepsGroups: boolean): undefined {
  try {
    prctl(PR.setPdeathsig, SIG.KILL);
    enterAll(joins, keepsGroups);
    const child = fork(flags + CLONE.parent);
    if (child === undefined) {
      // Its parent must know it first: else nobody would reap it.
      if (hear(socketFd)?.say !== "go") exit(1);
      return undefined;
    }
    send(socketFd, { say: "entered", pid: child.pid }, [child.pidfd.fd]);
    exit(0);
  } catch (error) {
    reportFailure(socketFd, error);
  }
}

/**
 * Enters all: first what can be entered from here, then the user namespace, then what belongs to that one. With the user
 * namespace come all capabilities in it, and its root's ids are to be taken.
 */
function enterAll(joins: readonly Join[], keepsGroups: boolean): void {
  const user = joins.find(({ type }) => type === "user");
  const others = joins.filter(({ type }) => type !== "user");
  if (user === undefined) {
    for (const join of others) enterOne(join);
    return;
  }
  const later = others.filter(({ type, handle }) => attempt("setns", handle.fd, flagOf(type)) === -EPERM);
  enterOne(user);
  if (!keepsGroups) setGroups([]);
  setIds(0, 0);
  for (const join of later) enterOne(join);
}

function enterOne({ type, handle }: Join): void {
  inStep(`entering the ${type} namespace`, () => setns(handle.fd, flagOf(type)));
}
