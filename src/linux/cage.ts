/**
 * Programs of ours that deal with what strangers have made run in a cage: a root that has only what they need, no descriptors
 * but those that they are given, and no privileges but those that their work takes.
 */
import { attempt, call, isErrno, KernelError } from "./error.ts";
import { duplicate, type Handle, placeAt } from "./fd.ts";
import { writeAll } from "./io.ts";
import { attach, MNT_DETACH, MS, mount, pivotRootHere, unmount } from "./mount.ts";
import { type Child, CLONE, execveFd, exit, fork, PR, prctl, setGroups, setIds, setLimit } from "./process.ts";
import { SIG } from "./signal.ts";
import { struct } from "./struct.ts";

const CAPABILITY_LIMIT = 64;
const EINVAL = 22;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
/** Our descriptors are above those that the program gets. */
const FIRST_OWN_FD = 10;
const MAX_FD = 0xffffffff;
const POLLERR = 8;
/** Exit status for a cage that could not be made. */
export const STATUS_NO_CAGE = 100;

/** Resources of getrlimit(2). */
export const RLIMIT = { core: 4, openFiles: 7, addressSpace: 9 } as const;

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

export interface CageRoot {
  readonly tree: Handle;
  readonly at: Handle;
  readonly about: string;
  /** What is still to be done to the mount once it is attached. */
  readonly finish: () => void;
}

export interface Cage {
  /** Flags of clone(2); a mount and a PID namespace are always new. */
  readonly namespaces: number;
  /** The mount that becomes the root, attached nowhere yet, and a directory of the host that it may cover meanwhile. */
  readonly root: () => CageRoot;
  readonly limits: readonly (readonly [resource: number, limit: bigint])[];
  /** Numbers below 32; the program has no others, and gets none by execve(2). */
  readonly capabilities: readonly number[];
  /** User and group that it runs as; it stays what we are without. */
  readonly user?: number;
}

/** Starts a static program in a cage. `streams` become its descriptors from 0 on, 0, 1 and 2 at least; it ends when we end. */
export function startCaged(program: Handle, argv: readonly string[], streams: readonly Handle[], cage: Cage): Child {
  const child = fork(CLONE.newMount | CLONE.newPid | cage.namespaces);
  if (child !== undefined) return child;
  try {
    const kept = duplicate(program.fd, FIRST_OWN_FD);
    const sources = streams.map(({ fd }) => duplicate(fd, FIRST_OWN_FD));
    sources.forEach(({ fd }, index) => {
      placeAt(fd, index);
    });
    enterRoot(cage);
    for (const [resource, limit] of cage.limits) setLimit(resource, limit, limit);
    setGroups([]);
    dropPrivileges(cage);
    // After the change of user, which takes it back.
    prctl(PR.setPdeathsig, SIG.KILL);
    if (isForsaken()) exit(STATUS_NO_CAGE);
    call("close_range", "", streams.length, kept.fd - 1, 0);
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

/** Makes the cage's root the root, and all there is: the rest of the host's tree is unmounted here. */
function enterRoot(cage: Cage): void {
  mount("none", "/", null, MS.rec | MS.private);
  const { tree, at, about, finish } = cage.root();
  attach(tree.fd, at.fd, about);
  finish();
  call("fchdir", about, tree.fd);
  try {
    pivotRootHere();
    unmount(".", MNT_DETACH);
  } catch (error) {
    // The root of an initramfs cannot be swapped. Without CAP_SYS_CHROOT and open directories there is no way out here either.
    if (!isErrno(error, "EINVAL")) throw error;
    call("chroot", about, ".");
  }
  call("chdir", "/", "/");
}

/** Leaves all privileges but the cage's, for good: execve(2) gives nothing back. */
function dropPrivileges({ capabilities, user }: Cage): void {
  prctl(PR.capAmbient, PR_CAP_AMBIENT_CLEAR_ALL);
  for (let number = 0; number < CAPABILITY_LIMIT; number++) {
    if (!capabilities.includes(number) && attempt("prctl", PR.capbsetDrop, number, 0, 0, 0) === -EINVAL) break;
  }
  if (user !== undefined) setIds(user, user);
  const mask = capabilities.reduce((sum, number) => sum + 2 ** number, 0);
  const header = capabilityHeader.encode({ version: CAPABILITY_VERSION });
  const own = new Uint8Array(capabilitySets.size);
  call("capget", "", header, own);
  // Some of them may not be ours to keep; the program will say what it lacks.
  const permitted = (capabilitySets.decode(own).permitted & mask) >>> 0;
  call("capset", "", header, capabilitySets.encode({ effective: permitted, permitted }));
  prctl(PR.setNoNewPrivs, 1);
}
