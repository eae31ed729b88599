/**
 * Being told that a file changes: inotify(7).
 */
import { attempt, call } from "./error.ts";
import { callForHandle, Handle } from "./fd.ts";

const IN_MODIFY = 0x2;
const IN_CLOSE_NOWRITE = 0x10;
const IN_MOVED_TO = 0x80;
const IN_DELETE_SELF = 0x400;
const IN_ONLYDIR = 0x1000000;
const IN_NONBLOCK_CLOEXEC = 0o2004000;
const EVENTS_BYTES = 4096;

/** A descriptor that is readable once one of the files has changed (again), or is gone. */
export function watchForChanges(...paths: string[]): Handle {
  return watch(paths, IN_MODIFY);
}

/** A descriptor that is readable once something has been moved into a directory, somebody has closed it, or it is gone. */
export function watchDirectory(path: string): Handle {
  return watch([path], IN_MOVED_TO | IN_CLOSE_NOWRITE | IN_DELETE_SELF | IN_ONLYDIR);
}

function watch(paths: readonly string[], events: number): Handle {
  const notify = callForHandle("inotify_init1", "", IN_NONBLOCK_CLOEXEC);
  try {
    for (const path of paths) call("inotify_add_watch", path, notify.fd, path, events);
    return new Handle(notify.release());
  } finally {
    notify.close();
  }
}

/** Takes the news, so that the descriptor is readable again at the next change only. */
export function takeChanges(notifyFd: number): void {
  attempt("read", notifyFd, new Uint8Array(EVENTS_BYTES), EVENTS_BYTES);
}
