/**
 * The root of a container, for who looks into it from outside: as it is seen in the container, with or without what is mounted in
 * it. open_tree(2) copies mounts of the caller's namespace alone: a child goes there, and hands the copy over, which is attached
 * nowhere. It runs nothing of the container's, and reads nothing of it.
 */
import { Failure } from "../failure.ts";
import { attachRoot, ContainerRoot } from "../isolation/apply-root.ts";
import { mapIdsOf } from "../isolation/bind-source.ts";
import type { BindStep } from "../isolation/root-steps.ts";
import { setAttributes } from "../linux/attributes.ts";
import { decode, utf8 } from "../linux/door.ts";
import type { Handle } from "../linux/fd.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { ATTR, cloneTree, MS, mount } from "../linux/mount.ts";
import { CLONE, exit, fork, setns, waitFor } from "../linux/process.ts";
import { receiveMessage, sendMessage, socketPair } from "../linux/socket.ts";
import type { IdMaps, RootSource } from "../plan/plan.ts";
import { openRoot } from "./open-root.ts";
import { isRunning, type ProcessName } from "./state.ts";

const MESSAGE_LIMIT_BYTES = 4096;

/** A mount that a child makes, forked with these flags. */
function mountOfChild(flags: number, make: () => Handle): Handle {
  const [ours, theirs] = socketPair();
  using own = ours;
  const child = fork(flags);
  if (child === undefined) {
    try {
      sendMessage(theirs.fd, new Uint8Array(1), [make().fd]);
    } catch (error) {
      sendMessage(
        theirs.fd,
        utf8(error instanceof Error ? error.message : String(error)).subarray(0, MESSAGE_LIMIT_BYTES),
      );
    }
    exit(0);
  }
  theirs.close();
  const message = receiveMessage(own.fd, MESSAGE_LIMIT_BYTES);
  waitFor(child);
  child.pidfd.close();
  const [made] = message?.fds ?? [];
  if (made !== undefined) return made;
  const reason = message === undefined ? "its helper has ended" : decode(message.bytes);
  throw new Failure(`the container's root could not be opened: ${reason}`, { hint: "has it just ended? try it again" });
}

/** A detached mount of the root that a running process has; `recursive`: with what is mounted in it. */
export function mountOfRunning(process: ProcessName, options: { readonly recursive: boolean }): Handle {
  using namespace = openHost(`/proc/${process.pid}/ns/mnt`, O_RDONLY);
  // After the opening: the pid may be somebody else's by now.
  if (!isRunning(process)) throw new Failure("the container has just ended", { hint: "try it again" });
  return mountOfChild(0, () => {
    setns(namespace.fd, CLONE.newMount);
    return cloneTree(-1, "/", options);
  });
}

/** A detached mount of the root of a container that has ended. Whoever calls holds its lock. */
export function mountOfEnded(source: RootSource, idMaps: IdMaps | undefined): Handle {
  return openRoot(source, idMaps === undefined ? {} : { idMaps });
}

/** A root that does not run, with its volumes and files of the host where they will be when it does. */
export function withBinds(root: Handle, binds: ReadonlyMap<BindStep, Handle>, isReadonly: boolean): Handle {
  return mountOfChild(CLONE.newMount, () => {
    // No mount that is made here may reach the host: before the first one is made.
    mount("none", "/", null, MS.rec | MS.private);
    attachRoot(root, "/");
    const tree = new ContainerRoot(root.fd, binds, false, (bound, step) => mapIdsOf(bound, step, undefined));
    for (const step of binds.keys()) tree.apply(step);
    if (isReadonly) setAttributes(root.fd, "/", { set: ATTR.rdonly });
    return cloneTree(root.fd, "", { recursive: true });
  });
}
