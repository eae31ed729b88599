/**
 * Volumes: directories that outlive containers. A new one takes over what the image has at the place where it is mounted, as
 * with docker.
 */
import { Failure } from "../failure.ts";
import { entriesOf } from "../linux/directory.ts";
import { call } from "../linux/error.ts";
import { Handle } from "../linux/fd.ts";
import { lock } from "../linux/flock.ts";
import {
  exists,
  listDirectory,
  makeDirectories,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_WRONLY,
  openHost,
  readTextIfThere,
  removeFile,
  removeTree,
  rename,
  replaceFile,
  statusOf,
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
/** How directories are called that are to become volumes. */
const IS_NEW = /\.[0-9a-f]{6}\.new$/;

export function volumePath(root: StateRoot, name: string): string {
  return `${root.volumes}/${name}`;
}

/** Where the volume is that a container mounts without a name. */
export function ownVolumeName(id: string, index: number): string {
  return `${id}.${index}`;
}

/** What was laid down about a volume when it was made; those that `run` makes have no record. */
export interface VolumeRecord {
  readonly labels: Readonly<Record<string, string>>;
  readonly createdMs: number;
  /** Whether it has a name of the user's. */
  readonly isNamed: boolean;
  /** Whether no container has had it yet: the first one fills it with its image's files. */
  readonly isUnused: boolean;
}

/** No volume's name begins with a dot. */
const recordsPath = (root: StateRoot): string => `${root.volumes}/.records`;
const recordPath = (root: StateRoot, name: string): string => `${recordsPath(root)}/${name}`;

export function readVolumeRecord(root: StateRoot, name: string): VolumeRecord | undefined {
  const text = readTextIfThere(recordPath(root, name));
  // Written by ourselves, whole.
  return text === undefined ? undefined : (JSON.parse(text) as VolumeRecord);
}

/** When a volume without a record was last made something of: the most that its directory tells. */
export function volumeMadeMs(root: StateRoot, name: string): number {
  return (statusOf(volumePath(root, name))?.modified ?? 0) * 1000;
}

/** The names of all volumes, sorted; what is just being made is none yet. */
export function listVolumes(root: StateRoot): string[] {
  return listDirectory(root.volumes)
    .filter(({ name, isDirectory }) => isDirectory && !name.startsWith(".") && !IS_NEW.test(name))
    .map(({ name }) => name)
    .sort();
}

/** Makes an empty volume. Returns false if there is one of that name. */
export function createVolume(root: StateRoot, name: string, record: VolumeRecord): boolean {
  const path = volumePath(root, name);
  makeDirectories(recordsPath(root));
  using _lock = lockVolumes(root);
  if (exists(path)) return false;
  // The record comes first: without its volume it says nothing.
  replaceFile(recordPath(root, name), JSON.stringify(record), { durable: false });
  makeDirectories(path, 0o755);
  return true;
}

export function removeVolume(root: StateRoot, name: string): void {
  removeTree(volumePath(root, name));
  removeFile(recordPath(root, name));
}

/** Held while volumes are made that have records. */
function lockVolumes(root: StateRoot): Handle {
  const path = recordsPath(root);
  const handle = openHost(path, O_RDONLY | O_DIRECTORY);
  lock(handle.fd, path);
  return handle;
}

/** Removes the volumes without a name of a container that is gone. */
export function removeOwnVolumes(root: StateRoot, id: string): void {
  for (const { name } of listDirectory(root.volumes)) {
    if (name.startsWith(`${id}.`)) removeVolume(root, name);
  }
}

/**
 * Makes the volume if it is not there yet, filled from the image's directory `target`. It appears in one step, filled.
 * @param imageRootFd the root of the image, or of the container that is being made
 */
export function ensureVolume(root: StateRoot, name: string, imageRootFd: number, target: string): string {
  const path = volumePath(root, name);
  const record = readVolumeRecord(root, name);
  const isUnused = record?.isUnused === true;
  if (exists(path) && !isUnused) return path;
  const fresh = `${path}.${randomHex()}.new`;
  makeDirectories(fresh, 0o755);
  using destination = openHost(fresh, O_RDONLY | O_DIRECTORY);
  using source = openInRootIfThere(imageRootFd, target, O_RDONLY | O_DIRECTORY);
  if (source !== undefined) {
    copyEntries(source.fd, destination.fd, target, 0);
    copyOwnerAndMode(statusOfFd(source.fd, target), destination.fd);
  }
  if (isUnused) takeUnused(root, name, fresh);
  else if (exists(path)) removeTree(fresh);
  else rename(fresh, path);
  return path;
}

/** Puts a filled directory in the place of an empty volume that no container has had; whoever comes second takes it as it is. */
function takeUnused(root: StateRoot, name: string, fresh: string): void {
  using _lock = lockVolumes(root);
  const record = readVolumeRecord(root, name);
  const path = volumePath(root, name);
  const isTaken = record?.isUnused !== true || listDirectory(path).length > 0;
  if (isTaken) removeTree(fresh);
  else rename(fresh, path);
  if (record !== undefined) {
    replaceFile(recordPath(root, name), JSON.stringify({ ...record, isUnused: false }), { durable: false });
  }
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
