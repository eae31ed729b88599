/**
 * The cage of the codec, which reads what strangers have made (docs/security.md, E3): nothing but the directory that it works
 * in, which is its root, no network, and the few privileges that unpacking needs.
 */
import { setAttributes } from "../linux/attributes.ts";
import { type Cage, RLIMIT, startCaged } from "../linux/cage.ts";
import type { Handle } from "../linux/fd.ts";
import { O_DIRECTORY, O_PATH, openHost } from "../linux/hostpath.ts";
import { pipe, readAllText } from "../linux/io.ts";
import { ATTR, cloneHostTree, MS } from "../linux/mount.ts";
import { type Child, CLONE, type Ending, sendSignal, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";

/** What unpacking needs: include/uapi/linux/capability.h. */
const CAPABILITIES = { chown: 0, dacOverride: 1, fowner: 3, fsetid: 4, mknod: 27, setfcap: 31 } as const;

const LIMITS: Cage["limits"] = [
  [RLIMIT.core, 0n],
  [RLIMIT.openFiles, 512n], // to pack takes one for each directory that it is in
  [RLIMIT.addressSpace, 1n << 30n], // windows of zstd are up to 128 MiB
];

const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;
const COMPLAINT_LIMIT_BYTES = 64 * 1024;

export interface Caged {
  readonly ending: Ending;
  readonly answer: string;
  readonly complaint: string;
}

/** A codec at work. Its scope's end is its end as well. */
export interface AtWork extends Disposable {
  readonly child: Child;
  readonly answer: Handle;
  readonly complaint: Handle;
  /** Closes what has been opened for it. */
  readonly pipes: DisposableStack;
}

/** What is a codec's whole world: a directory that it writes to, or a tree that it only reads. */
export type World =
  | { readonly kind: "writable"; readonly directory: string }
  | { readonly kind: "read-only"; readonly directory: string }
  /** A mount that is attached nowhere, with what is mounted in it. */
  | { readonly kind: "mount"; readonly mount: Handle; readonly about: string; readonly isWritable?: boolean };

function cageOf(world: World): Cage {
  const safe = ATTR.nosuid | ATTR.nodev | ATTR.noexec;
  return {
    namespaces: CLONE.newNet | CLONE.newIpc | CLONE.newUts,
    limits: LIMITS,
    capabilities: Object.values(CAPABILITIES),
    root: () => {
      const about = world.kind === "mount" ? world.about : world.directory;
      const at = openHost(world.kind === "mount" ? "/" : world.directory, O_PATH | O_DIRECTORY);
      const tree = world.kind === "mount" ? world.mount : cloneHostTree(world.directory, { recursive: false });
      const isWritable = world.kind === "writable" || (world.kind === "mount" && world.isWritable === true);
      const change = {
        set: isWritable ? safe : safe | ATTR.rdonly,
        propagation: MS.private,
        recursive: world.kind === "mount",
      };
      return { tree, at, about, finish: () => setAttributes(tree.fd, about, change) };
    },
  };
}

/**
 * Starts a static program.
 * @param archive its descriptor 0, which it reads or writes
 * @param more its descriptors from 3 on
 */
export function startOn(
  program: Handle,
  argv: readonly string[],
  world: World,
  archive: Handle,
  more: readonly Handle[] = [],
): AtWork {
  const [answer, answerEnd] = pipe();
  const [complaint, complaintEnd] = pipe();
  using ends = new DisposableStack();
  for (const end of [answerEnd, complaintEnd]) ends.use(end);
  using stack = new DisposableStack();
  for (const end of [answer, complaint]) stack.use(end);
  const child = startCaged(program, argv, [archive, answerEnd, complaintEnd, ...more], cageOf(world));
  stack.use(child.pidfd);
  const kept = stack.move();
  const giveUp = (): void => {
    if (kept.disposed) return;
    // Also where it has ended and was not waited for.
    sendSignal(child.pidfd.fd, SIG.KILL);
    waitFor(child);
    kept.dispose();
  };
  return { child, answer, complaint, pipes: kept, [Symbol.dispose]: giveUp };
}

/** Reads all that it says, and waits for its end. */
export function endOf(work: AtWork): Caged {
  using _pipes = work.pipes;
  // The second is one line at most: it fits into the pipe, whatever of the first is still to come.
  const answer = readAllText(work.answer.fd, "the codec's answer", ANSWER_LIMIT_BYTES);
  const complaint = readAllText(work.complaint.fd, "the codec's complaint", COMPLAINT_LIMIT_BYTES);
  return { ending: waitFor(work.child), answer, complaint: complaint.trim() };
}
