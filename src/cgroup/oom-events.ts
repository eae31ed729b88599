/**
 * Being told that a cgroup has run out of memory. For linux/eventloop.ts: watch `fd`, and ask `take` when it is readable.
 */
import { attempt, isErrno } from "../linux/error.ts";
import { callForHandle, type Handle } from "../linux/fd.ts";
import { exists, O_RDONLY, openHost, writeKernelFile } from "../linux/hostpath.ts";
import { takeChanges, watchForChanges } from "../linux/inotify.ts";
import { numberOf, readIfAlive } from "./file.ts";
import { detectLayout, directoryOf } from "./layout.ts";
import { checkCgroupPath } from "./path.ts";

/** EFD_NONBLOCK and EFD_CLOEXEC: eventfd(2). */
const EVENTFD_FLAGS = 0o2004000;
const COUNTER_BYTES = 8;

/** `gone`: the cgroup was removed or, with version 2, has no process any more; nothing follows. */
export type OomNews = "oom" | "gone" | "nothing";

export interface OomWatch extends Disposable {
  readonly fd: number;
  /** What has happened since the last time. */
  take(): OomNews;
}

/** Undefined if there is no such cgroup, or the host does not count its memory. */
export function watchOom(cgroupPath: string): OomWatch | undefined {
  const layout = detectLayout();
  const directory = directoryOf(layout, "memory", checkCgroupPath(cgroupPath));
  if (directory === undefined) return undefined;
  try {
    return layout.kind === "v2" ? watchV2(directory) : watchV1(directory);
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENODEV")) return undefined;
    throw error;
  }
}

/** An eventfd that `cgroup.event_control` ties to `memory.oom_control`: Documentation/admin-guide/cgroup-v1/memory.rst, 10. */
function watchV1(directory: string): OomWatch {
  const event: Handle = callForHandle("eventfd2", "", 0, EVENTFD_FLAGS);
  try {
    const control = `${directory}/memory.oom_control`;
    // The kernel needs it no longer than for the request.
    using about = openHost(control, O_RDONLY);
    writeKernelFile(`${directory}/cgroup.event_control`, `${event.fd} ${about.fd}`);
    return {
      fd: event.fd,
      take() {
        if (attempt("read", event.fd, new Uint8Array(COUNTER_BYTES), COUNTER_BYTES) < 0) return "nothing";
        // That the cgroup is removed is told in the same way.
        return exists(control) ? "oom" : "gone";
      },
      [Symbol.dispose]: () => event.close(),
    };
  } catch (error) {
    event.close();
    throw error;
  }
}

/** Documentation/admin-guide/cgroup-v2.rst: changes of `memory.events` and `cgroup.events` are events of the files. */
function watchV2(directory: string): OomWatch {
  const events = `${directory}/memory.events`;
  const changes = watchForChanges(events, `${directory}/cgroup.events`);
  let known = killsIn(readIfAlive(events));
  return {
    fd: changes.fd,
    take() {
      takeChanges(changes.fd);
      const text = readIfAlive(events);
      if (text === undefined) return "gone";
      const kills = killsIn(text);
      const isNew = kills > known;
      known = kills;
      if (isNew) return "oom";
      return numberOf(readIfAlive(`${directory}/cgroup.events`), "populated") === 1 ? "nothing" : "gone";
    },
    [Symbol.dispose]: () => changes.close(),
  };
}

function killsIn(text: string | undefined): number {
  return numberOf(text, "oom_kill") ?? 0;
}
