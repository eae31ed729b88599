/**
 * Downloads that are not finished, or not part of an image yet: `partial/<hex>` is the beginning of the blob with that digest.
 * Whoever holds the lock of the file writes to it. It outlives a pull that fails or is killed, and the next one goes on
 * where it ends; what nobody comes back for is removed after some days.
 */
import { wallClockMs } from "../linux/clock.ts";
import { call, isErrno } from "../linux/error.ts";
import { AT_FDCWD, type Handle } from "../linux/fd.ts";
import { lock, tryLock } from "../linux/flock.ts";
import { listDirectory, makeDirectories, O_CREAT, O_RDWR, openHost, removeFile, statusOf } from "../linux/hostpath.ts";
import { statusOfFd } from "../linux/status.ts";
import { hexOf } from "./reference.ts";
import { storePaths } from "./store.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** How long a download waits for somebody to go on with it. */
const KEPT_MS = 7 * DAY_MS;

/** The beginning of a blob. Its scope's end gives the lock back, and leaves the file if there is something in it. */
export class Partial implements Disposable {
  readonly path: string;
  readonly handle: Handle;

  constructor(path: string, handle: Handle) {
    this.path = path;
    this.handle = handle;
  }

  get sizeBytes(): number {
    return statusOfFd(this.handle.fd, this.path).sizeBytes;
  }

  /** What has come is not what it should be. */
  restart(): void {
    call("ftruncate", this.path, this.handle.fd, 0);
  }

  /** Gives the file a second name. */
  linkTo(path: string): void {
    linkFile(this.path, path);
  }

  [Symbol.dispose](): void {
    if (!this.handle.isOpen) return;
    if (this.sizeBytes === 0) removeFile(this.path);
    this.handle.close();
  }
}

/** Gives a file a second name; EEXIST if that is taken, ENOENT if the file is gone. */
export function linkFile(from: string, to: string): void {
  call("linkat", `${from} -> ${to}`, AT_FDCWD, from, AT_FDCWD, to, 0);
}

const pathOf = (images: string, digest: string): string => `${storePaths(images).partial}/${hexOf(digest)}`;

/**
 * The beginning of a blob, to go on with. Undefined if somebody else does so just now, unless we are to wait for that.
 * Who waits must hold no other: two that waited for each other would wait for ever.
 */
export function claimPartial(images: string, digest: string, options: { wait: boolean }): Partial | undefined {
  makeDirectories(storePaths(images).partial);
  const path = pathOf(images, digest);
  for (;;) {
    const handle = openHost(path, O_RDWR | O_CREAT);
    if (options.wait) lock(handle.fd, path);
    else if (!tryLock(handle.fd, path)) {
      handle.close();
      return undefined;
    }
    // It may have been removed before it was locked.
    if (isAt(path, handle)) return new Partial(path, handle);
    handle.close();
  }
}

/** Removes a beginning, unless somebody is at work on it. */
function removeIdle(path: string): boolean {
  let file: Handle;
  try {
    file = openHost(path, O_RDWR);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
  using held = file;
  return tryLock(held.fd, path) && isAt(path, held) && removeFile(path);
}

/** Whether the path is still that of the file. */
function isAt(path: string, file: Handle): boolean {
  return statusOf(path)?.inode === statusOfFd(file.fd).inode;
}

/** Removes the beginning of a blob that is in the store now. */
export function removePartial(images: string, digest: string): void {
  removeIdle(pathOf(images, digest));
}

/**
 * Removes what nobody has come back for.
 * @param olderThanMs time since it was last written to
 * @returns how many bytes that were
 */
export function removePartials(images: string, olderThanMs: number = KEPT_MS): number {
  const { partial } = storePaths(images);
  let bytes = 0;
  for (const { name } of listDirectory(partial)) {
    const path = `${partial}/${name}`;
    const status = statusOf(path);
    if (status === undefined || wallClockMs() - status.modified * 1000 < olderThanMs) continue;
    if (removeIdle(path)) bytes += status.sizeBytes;
  }
  return bytes;
}
