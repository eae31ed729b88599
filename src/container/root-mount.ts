/**
 * The root of a container, for who looks into it from outside: as it is seen in the container, but without what is mounted in it.
 */
import { Failure } from "../failure.ts";
import { Handle } from "../linux/fd.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { cloneTree } from "../linux/mount.ts";
import { CLONE, exit, fork, setns, waitFor } from "../linux/process.ts";
import type { IdMaps, RootSource } from "../plan/plan.ts";
import { openRoot } from "./open-root.ts";
import { isRunning, type ProcessName } from "./state.ts";

/** More descriptors than can be told by an exit status; 255 is failure. */
const FD_LIMIT = 255;

/** A detached mount of the root that a running process has. */
export function mountOfRunning(process: ProcessName): Handle {
  using namespace = openHost(`/proc/${process.pid}/ns/mnt`, O_RDONLY);
  // After the opening: the pid may be somebody else's by now.
  if (!isRunning(process)) throw new Failure("the container has just ended", { hint: "try it again" });
  // It shares our descriptors; nothing of the container's is run or read there.
  const child = fork(CLONE.files);
  if (child === undefined) {
    try {
      setns(namespace.fd, CLONE.newMount);
      exit(Math.min(cloneTree(-1, "/", { recursive: false }).release(), FD_LIMIT));
    } catch {
      exit(FD_LIMIT);
    }
  }
  const ending = waitFor(child);
  child.pidfd.close();
  if (ending.kind === "exited" && ending.status < FD_LIMIT) return new Handle(ending.status);
  throw new Failure("the container's root could not be opened", { hint: "has it just ended? try it again" });
}

/** A detached mount of the root of a container that has ended. Whoever calls holds its lock. */
export function mountOfEnded(source: RootSource, idMaps: IdMaps | undefined): Handle {
  return openRoot(source, idMaps === undefined ? {} : { idMaps });
}
