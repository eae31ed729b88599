/**
 * A mount of another container, to be shown in a new one. open_tree(2) copies mounts of the caller's namespace alone: a child
 * goes into the other's, copies it there, and hands the copy over, which is attached nowhere and so belongs to no namespace.
 */
import { Failure } from "../failure.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { cloneHostTree, cloneTree } from "../linux/mount.ts";
import { CLONE, exit, fork, openPidfd, PR, prctl, setns, waitFor } from "../linux/process.ts";
import { O_DIRECTORY, O_PATH, openInRoot } from "../linux/rootpath.ts";
import { receiveMessage, sendMessage, socketPair } from "../linux/socket.ts";

const OTHERS_PATH = /^\/proc\/([0-9]+)\/root(\/.*)$/;

/** A detached copy of what is at a path of the host, or at `/proc/PID/root/...`; of a link itself, if that is not followed. */
export function cloneSource(path: string, options: { recursive: boolean; followLinks?: boolean }): Handle {
  const [, pid, inside] = OTHERS_PATH.exec(path) ?? [];
  return pid === undefined || inside === undefined
    ? cloneHostTree(path, options)
    : borrow(Number(pid), inside, options);
}

function borrow(pid: number, path: string, options: { recursive: boolean }): Handle {
  using other = openPidfd(pid);
  if (other === undefined) throw new Failure(`the process ${pid}, whose ${path} is to be shared, has ended`);
  const [ours, theirs] = socketPair();
  using own = ours;
  // The other container's processes are not to look into the child.
  prctl(PR.setDumpable, 0);
  const child = fork();
  if (child === undefined) {
    try {
      setns(other.fd, CLONE.newMount);
      using root = openInRoot(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
      using found = openInRoot(root.fd, path, O_PATH);
      using copy = cloneTree(found.fd, "", options);
      sendMessage(theirs.fd, new Uint8Array(1), [copy.fd]);
    } finally {
      exit(0);
    }
  }
  theirs.close();
  const copy = receiveMessage(own.fd, 1)?.fds[0];
  waitFor(child);
  child.pidfd.close();
  if (copy === undefined)
    throw new Failure(`cannot share ${path} of the process ${pid}: it is not there, or not to be copied`);
  return copy;
}
