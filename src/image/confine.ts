/**
 * The cage of the codec, which reads what strangers have made (docs/security.md, E3). It is a process with nothing but the
 * directory that it works in, which is its root, three descriptors, and the few privileges that unpacking needs.
 */
import { attempt, call, isErrno, KernelError } from "../linux/error.ts";
import { duplicate, type Handle, placeAt } from "../linux/fd.ts";
import { O_DIRECTORY, O_PATH, openHost } from "../linux/hostpath.ts";
import { pipe, readAllText, writeAll } from "../linux/io.ts";
import {
  ATTR,
  attach,
  changeAttributes,
  cloneHostTree,
  MNT_DETACH,
  MS,
  mount,
  pivotRootHere,
  unmount,
} from "../linux/mount.ts";
import { CLONE, type Ending, execveFd, exit, fork, PR, prctl, setGroups, setLimit, waitFor } from "../linux/process.ts";
import { SIG } from "../linux/signal.ts";
import { struct } from "../linux/struct.ts";

/** What unpacking needs: include/uapi/linux/capability.h. */
const CAPABILITIES = { chown: 0, dacOverride: 1, fowner: 3, fsetid: 4, mknod: 27, setfcap: 31 } as const;
const CAPABILITY_LIMIT = 64;
const EINVAL = 22;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** Resources of getrlimit(2), and what the codec gets of them. */
const LIMITS: readonly (readonly [resource: number, limit: bigint])[] = [
  [4, 0n], // RLIMIT_CORE
  [7, 64n], // RLIMIT_NOFILE
  [9, 1n << 30n], // RLIMIT_AS, bytes: windows of zstd are up to 128 MiB
];

const ANSWER_LIMIT_BYTES = 64 * 1024 * 1024;
const COMPLAINT_LIMIT_BYTES = 64 * 1024;
/** Our descriptors are above those that the codec gets. */
const FIRST_OWN_FD = 10;
const MAX_FD = 0xffffffff;
const POLLERR = 8;
/** Exit status for a cage that could not be made; those of the codec are in native/codec/src/failure.rs. */
export const STATUS_NO_CAGE = 100;

/** `struct __user_cap_header_struct` and two of `struct __user_cap_data_struct`: capget(2). */
const capabilityHeader = struct({ version: "u32", pid: "i32" });
const capabilitySets = struct({
  effective: "u32",
  permitted: "u32",
  inheritable: "u32",
  effectiveHigh: "u32",
  permittedHigh: "u32",
  inheritableHigh: "u32",
});
const CAPABILITY_VERSION = 0x20080522;

export interface Caged {
  readonly ending: Ending;
  readonly answer: string;
  readonly complaint: string;
}

/** Runs a static program on an input, with a directory as its whole world, and waits for its end. */
export function runCaged(program: Handle, argv: readonly string[], directory: string, input: Handle): Caged {
  const [answer, answerEnd] = pipe();
  const [complaint, complaintEnd] = pipe();
  using stack = new DisposableStack();
  for (const end of [answer, answerEnd, complaint, complaintEnd]) stack.use(end);
  const child = fork(CLONE.newMount | CLONE.newNet | CLONE.newIpc | CLONE.newUts | CLONE.newPid);
  if (child === undefined) becomeCaged(program, argv, directory, [input, answerEnd, complaintEnd]);
  stack.use(child.pidfd);
  answerEnd.close();
  complaintEnd.close();
  // The second is one line at most: it fits into the pipe, whatever of the first is still to come.
  const said = readAllText(answer.fd, "the codec's answer", ANSWER_LIMIT_BYTES);
  const complained = readAllText(complaint.fd, "the codec's complaint", COMPLAINT_LIMIT_BYTES);
  return { ending: waitFor(child), answer: said, complaint: complained.trim() };
}

function becomeCaged(program: Handle, argv: readonly string[], directory: string, streams: readonly Handle[]): never {
  try {
    const kept = duplicate(program.fd, FIRST_OWN_FD);
    const sources = streams.map(({ fd }) => duplicate(fd, FIRST_OWN_FD));
    sources.forEach(({ fd }, index) => {
      placeAt(fd, index);
    });
    enterRoot(directory);
    for (const [resource, limit] of LIMITS) setLimit(resource, limit, limit);
    setGroups([]);
    dropPrivileges();
    prctl(PR.setPdeathsig, SIG.KILL);
    if (isForsaken()) exit(STATUS_NO_CAGE);
    call("close_range", "", 3, kept.fd - 1, 0);
    call("close_range", "", kept.fd + 1, MAX_FD, 0);
    const result = execveFd(kept.fd, argv, []);
    throw new KernelError("execveat", -result, argv[0] ?? "");
  } catch (error) {
    writeAll(2, error instanceof Error ? error.message : String(error));
  }
  return exit(STATUS_NO_CAGE);
}

/** Whether the parent ended before its end could be noticed: then nobody holds the other side of our output. */
function isForsaken(): boolean {
  const poll = new Uint8Array(8);
  const view = new DataView(poll.buffer);
  view.setInt32(0, 1, true);
  const now = new Uint8Array(16);
  return call("ppoll", "", poll, 1, now, null, 8) > 0 && (view.getInt16(6, true) & POLLERR) !== 0;
}

/** Makes the directory the root, and all there is: the rest of the host's tree is unmounted here. */
function enterRoot(directory: string): void {
  mount("none", "/", null, MS.rec | MS.private);
  using target = openHost(directory, O_PATH | O_DIRECTORY);
  using tree = cloneHostTree(directory, { recursive: false });
  // Kernels before 5.12 cannot; it is a second line of defence there.
  changeAttributes(tree.fd, { set: ATTR.nosuid | ATTR.nodev | ATTR.noexec, propagation: MS.private });
  attach(tree.fd, target.fd, directory);
  call("fchdir", directory, tree.fd);
  try {
    pivotRootHere();
    unmount(".", MNT_DETACH);
  } catch (error) {
    // The root of an initramfs cannot be swapped. Without CAP_SYS_CHROOT and open directories there is no way out here either.
    if (!isErrno(error, "EINVAL")) throw error;
    call("chroot", directory, ".");
  }
  call("chdir", "/", "/");
}

/** Leaves what CAPABILITIES lists, for good: execve(2) gives nothing back. */
function dropPrivileges(): void {
  const kept: readonly number[] = Object.values(CAPABILITIES);
  prctl(PR.capAmbient, PR_CAP_AMBIENT_CLEAR_ALL);
  for (let number = 0; number < CAPABILITY_LIMIT; number++) {
    if (!kept.includes(number) && attempt("prctl", PR.capbsetDrop, number, 0, 0, 0) === -EINVAL) break;
  }
  const mask = kept.reduce((sum, number) => sum + 2 ** number, 0);
  const header = capabilityHeader.encode({ version: CAPABILITY_VERSION });
  const own = new Uint8Array(capabilitySets.size);
  call("capget", "", header, own);
  // Some of them may not be ours to keep; the codec will say what it lacks.
  const permitted = (capabilitySets.decode(own).permitted & mask) >>> 0;
  call("capset", "", header, capabilitySets.encode({ effective: permitted, permitted }));
  prctl(PR.setNoNewPrivs, 1);
}
