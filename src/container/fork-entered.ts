/**
 * A child that is born in a running container. This process enters the container's namespaces, forks, and goes back. The child is
 * never seen in there with anything of the host's: whoever may look into processes there (CAP_SYS_PTRACE) would find a way out
 * through the root, the network or the names of a process that is still to enter.
 */
import { flagOf, NAMESPACE_FILES } from "../isolation/namespaces.ts";
import { call, isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { type Child, exit, setns } from "../linux/process.ts";
import { O_DIRECTORY, O_PATH } from "../linux/rootpath.ts";
import type { NamespaceType } from "../spec/config.ts";

/** From a user namespace nobody comes back, and clocks of their own are only for processes that are still to be born. */
const ONE_WAY: readonly NamespaceType[] = ["user", "time"];

/** Where this process has been: its namespaces, root and working directory. */
export interface Place {
  readonly namespaces: readonly { readonly type: NamespaceType; readonly handle: Handle }[];
  readonly root: Handle;
  readonly directory: Handle;
}

/**
 * Where this process will come back to; undefined if it could not, or if no child of it is to be born in another PID namespace. Whether
 * it may is found by doing it: who is root of a user namespace may enter what belongs to that, and not what it came from.
 */
export function placeToReturn(types: readonly NamespaceType[], stack: DisposableStack): Place | undefined {
  if (!types.includes("pid") || types.some((type) => ONE_WAY.includes(type))) return undefined;
  const open = (path: string, flags: number) => stack.use(openHost(path, flags));
  // The mount namespace comes last: where another one cannot be entered, root and working directory have not changed.
  const ordered = [...types.filter((type) => type !== "mount"), ...types.filter((type) => type === "mount")];
  const place = {
    namespaces: ordered.map((type) => ({ type, handle: open(`/proc/self/ns/${NAMESPACE_FILES[type]}`, O_RDONLY) })),
    root: open("/", O_PATH | O_DIRECTORY),
    directory: open(".", O_PATH | O_DIRECTORY),
  };
  try {
    goBack(place);
    return place;
  } catch (error) {
    if (!isErrno(error, "EPERM")) throw error;
    return undefined;
  }
}

/** To enter a mount namespace changes root and working directory, too: setns(2). */
function goBack({ namespaces, root, directory }: Place): void {
  for (const { type, handle } of namespaces) setns(handle.fd, flagOf(type));
  call("fchdir", "/", root.fd);
  call("chroot", ".", ".");
  call("fchdir", "the working directory", directory.fd);
}

const STDERR = 2;
/** The exit status for what is our own failure. */
const EXIT_LOST = 125;

/**
 * As `fork` of linux/process.ts, which `fork` is to call, in the namespaces of the container that `pidfd` names. This process
 * comes back; the child has to put its own working directory where it wants it.
 */
export function forkEntered(pidfd: number, place: Place, fork: () => Child | undefined): Child | undefined {
  setns(
    pidfd,
    place.namespaces.reduce((flags, { type }) => flags + flagOf(type), 0),
  );
  let isChild = false;
  try {
    const child = fork();
    isChild = child === undefined;
    return child;
  } finally {
    if (!isChild) returnOrEnd(place);
  }
}

/** Who cannot go back must not go on: what is told, logged and written next would be in the container. */
function returnOrEnd(place: Place): void {
  try {
    goBack(place);
  } catch (error) {
    if (!isErrno(error)) throw error;
    writeAll(STDERR, `cannot leave the container's namespaces: ${error.message}\n`);
    exit(EXIT_LOST);
  }
}
