/**
 * Volumes: directories that outlive containers. A new one takes over what the image has at the place where it is mounted, as
 * with docker.
 */
import { Failure } from "../failure.ts";
import { entriesOf } from "../linux/directory.ts";
import { call } from "../linux/error.ts";
import { Handle } from "../linux/fd.ts";
import {
  exists,
  listDirectory,
  makeDirectories,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_WRONLY,
  openHost,
  removeTree,
  rename,
} from "../linux/hostpath.ts";
import { openEntry, openInRootIfThere } from "../linux/rootpath.ts";
import { type FileStatus, statusOfFd } from "../linux/status.ts";
import { randomHex } from "./id.ts";
import type { StateRoot } from "./paths.ts";

const O_PATH = 0o10000000;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const O_CLOEXEC = 0o2000000;
const COPY_BYTES = 1 << 30;
const DEPTH_LIMIT = 256;
const PATH_LIMIT_BYTES = 4096;

export function volumePath(root: StateRoot, name: string): string {
  return `${root.volumes}/${name}`;
}

/** Where the volume is that a container mounts without a name. */
export function ownVolumeName(id: string, index: number): string {
  return `${id}.${index}`;
}

/** Removes the volumes without a name of a container that is gone. */
export function removeOwnVolumes(root: StateRoot, id: string): void {
  for (const { name } of listDirectory(root.volumes)) {
    if (name.startsWith(`${id}.`)) removeTree(volumePath(root, name));
  }
}

/**
 * Makes the volume if it is not there yet, filled from the image's directory `target`. It appears in one step, filled.
 * @param imageRootFd the root of the image, or of the container that is being made
 */
export function ensureVolume(root: StateRoot, name: string, imageRootFd: number, target: string): string {
  const path = volumePath(root, name);
  if (exists(path)) return path;
  const fresh = `${path}.${randomHex()}.new`;
  makeDirectories(fresh, 0o755);
  using destination = openHost(fresh, O_RDONLY | O_DIRECTORY);
  using source = openInRootIfThere(imageRootFd, target, O_RDONLY | O_DIRECTORY);
  if (source !== undefined) {
    copyEntries(source.fd, destination.fd, target, 0);
    copyOwnerAndMode(statusOfFd(source.fd, target), destination.fd);
  }
  if (exists(path)) removeTree(fresh);
  else rename(fresh, path);
  return path;
}

function copyOwnerAndMode(status: FileStatus, fd: number): void {
  call("fchownat", "", fd, "", status.uid, status.gid, AT_EMPTY_PATH);
  call("fchmod", "", fd, status.mode);
}

/** Copies all of one open directory into another: files, directories and links; sockets and devices are left out. */
function copyEntries(fromFd: number, toFd: number, about: string, depth: number): void {
  if (depth > DEPTH_LIMIT) throw new Failure(`${about} of the image is too deep to be copied into a volume`);
  for (const { name } of entriesOf(fromFd, about)) {
    using entry = openEntry(fromFd, name, O_PATH);
    const status = statusOfFd(entry.fd, name);
    const path = `${about}/${name}`;
    if (status.type === "directory") {
      call("mkdirat", path, toFd, name, 0o700);
      using from = openEntry(fromFd, name, O_RDONLY | O_DIRECTORY);
      using to = openEntry(toFd, name, O_RDONLY | O_DIRECTORY);
      copyEntries(from.fd, to.fd, path, depth + 1);
      copyOwnerAndMode(status, to.fd);
    } else if (status.type === "file") {
      using from = openEntry(fromFd, name, O_RDONLY);
      using to = new Handle(call("openat", path, toFd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600));
      while (call("sendfile", path, to.fd, from.fd, null, COPY_BYTES) > 0) {}
      copyOwnerAndMode(status, to.fd);
    } else if (status.type === "link") {
      const link = new Uint8Array(PATH_LIMIT_BYTES);
      const length = call("readlinkat", path, entry.fd, "", link, link.length - 1);
      call("symlinkat", path, link.subarray(0, length + 1), toFd, name);
      call("fchownat", path, toFd, name, status.uid, status.gid, AT_SYMLINK_NOFOLLOW);
    }
  }
}
