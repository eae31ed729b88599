/**
 * The layers of an image with their ids mapped, for an overlay of a container with a user namespace: files keep the ids of the
 * image on disk, and the container sees them through mounts that map (mount_setattr(2), "ID-mapped mounts").
 */
import { Failure } from "../failure.ts";
import { isErrno, KernelError } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { pipe, read } from "../linux/io.ts";
import { ATTR, changeAttributes, cloneHostTree } from "../linux/mount.ts";
import { CLONE, exit, fork, waitFor } from "../linux/process.ts";
import { type IdMapPair, writeIdMaps } from "./idmap.ts";

export interface LayerDirectories {
  readonly layersDirectory: string;
  /** Paths below it. */
  readonly layers: readonly string[];
}

/**
 * A detached, mapped mount of each layer, in their order. On disk and in the mount, `hostID` of the maps is what the container
 * has; an id of the image is the `containerID`.
 */
export function idmappedLayers({ layersDirectory, layers }: LayerDirectories, maps: IdMapPair): Handle[] {
  using namespace = openMappingNamespace(maps);
  const mounts: Handle[] = [];
  try {
    for (const layer of layers) mounts.push(mapped(`${layersDirectory}/${layer}`, namespace.fd));
  } catch (error) {
    for (const mount of mounts) mount.close();
    throw error;
  }
  return mounts;
}

function mapped(path: string, usernsFd: number): Handle {
  const mount = cloneHostTree(path, { recursive: false });
  const result = changeAttributes(mount.fd, { set: ATTR.idmap, usernsFd });
  if (result === 0) return mount;
  mount.close();
  const error = new KernelError("mount_setattr", -result, path);
  if (!isErrno(error, "ENOSYS", "EINVAL")) throw error;
  throw new Failure("this kernel or file system cannot map ids of mounts: needs Linux 5.19 for overlay layers", {
    hint: "run without --userns, or keep the images on ext4, xfs, btrfs or (since Linux 6.3) tmpfs",
    cause: error,
  });
}

/**
 * A user namespace with these maps that no process is in: as a descriptor, it says how a mount maps ids. The process that it
 * is made with waits until its namespace is open, and ends.
 */
export function openMappingNamespace(maps: IdMapPair): Handle {
  const [readable, writable] = pipe();
  using until = readable;
  using held = writable;
  const child = fork(CLONE.newUser);
  if (child === undefined) {
    held.close();
    // Ends with the pipe, also if the parent is killed meanwhile.
    try {
      read(until.fd, new Uint8Array(1));
    } finally {
      exit(0);
    }
  }
  using _pidfd = child.pidfd;
  try {
    writeIdMaps(child.pid, maps);
    return openHost(`/proc/${child.pid}/ns/user`, O_RDONLY);
  } finally {
    held.close();
    waitFor(child);
  }
}
