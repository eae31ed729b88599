/**
 * Standard streams that are the host's null device, as those of most services are: the container's own takes its place. Nothing
 * of the host's mounts is held open then, and criu(8) finds the file again where the container is restored.
 */
import { isNullDevice } from "../isolation/apply-root.ts";
import { isErrno } from "../linux/error.ts";
import { AT_FDCWD, placeAt } from "../linux/fd.ts";
import { O_PATH, openEntry } from "../linux/rootpath.ts";

const O_RDWR = 2;
const STREAMS = [0, 1, 2] as const;

/** To be called once the container's root is ours. Where it has no null device, streams stay as they are. */
export function useOwnNull(): void {
  try {
    const streams = STREAMS.filter(isNullDevice);
    if (streams.length === 0) return;
    // Looked at before it is opened: opening another device may do something.
    using found = openEntry(AT_FDCWD, "/dev/null", O_PATH);
    if (!isNullDevice(found.fd)) return;
    using own = openEntry(AT_FDCWD, "/dev/null", O_RDWR);
    for (const fd of streams) placeAt(own.fd, fd);
  } catch (error) {
    if (!isErrno(error)) throw error;
  }
}
