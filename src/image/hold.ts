/**
 * Layers and blobs stay as long as somebody holds the store: a build uses those of its images, and of the cache, before any record
 * says so. Many may hold it at once; whoever clears away leaves it to the next who does.
 */
import type { Handle } from "../linux/fd.ts";
import { lockShared, tryLock } from "../linux/flock.ts";
import { O_CREAT, O_RDWR, openHost } from "../linux/hostpath.ts";
import { storePaths } from "./store.ts";

/** Holds all layers and blobs until the handle is closed. */
export function holdStore(images: string): Handle {
  const handle = openHost(storePaths(images).hold, O_RDWR | O_CREAT);
  lockShared(handle.fd, storePaths(images).hold);
  return handle;
}

/** Keeps others from holding the store; undefined if somebody does. */
export function tryClaimStore(images: string): Handle | undefined {
  const handle = openHost(storePaths(images).hold, O_RDWR | O_CREAT);
  if (tryLock(handle.fd, storePaths(images).hold)) return handle;
  handle.close();
  return undefined;
}
