/**
 * What is done to make a container's root file system: small steps, in order, as data.
 * Paths named `target` and `path` are inside the container's root; `source` is of the host.
 */

import { MS } from "../linux/mount.ts";
import type { FileType } from "../linux/status.ts";
import type { IdMapPair } from "./idmap.ts";

/** A new file system, mounted. */
export interface FilesystemStep {
  readonly do: "mount";
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly data: readonly string[];
  /** Flags that every file system understands: `sync`. */
  readonly superblock?: readonly string[];
  /** Whether it begins with what the directory that it covers has: of a tmpfs. */
  readonly copyUp?: boolean;
  /** The option that gives its files an SELinux context; without effect where SELinux is not active. */
  readonly label?: string;
  /** ATTR bits. */
  readonly attributes: number;
  readonly propagation?: number;
  readonly propagationRecursive?: boolean;
  /** Whether a link on the way to the target is refused: for /proc and /sys. */
  readonly refuseLinks: boolean;
}

/** A part of the host's tree, mounted. */
export interface BindStep {
  readonly do: "bind";
  readonly source: string;
  /** Where the source lies in the container's root, if an earlier step has mounted what is there. */
  readonly inside?: string;
  readonly target: string;
  readonly recursive: boolean;
  readonly set: number;
  readonly clear: number;
  /**
   * Which attributes of the source that `set` does not name are taken from the mount: `all`, those that a user namespace
   * leaves `unlocked`, or else those in `clear`.
   */
  readonly replaces?: "all" | "unlocked";
  /** Whether an access time is named in `set`, where relatime is none of its bits. */
  readonly namesAtime?: boolean;
  readonly recursiveSet: number;
  readonly recursiveClear: number;
  readonly propagation: number;
  readonly propagationRecursive: boolean;
  /** How the mount maps ids: of its own, or as the container's user namespace does. */
  readonly idMaps?: IdMapPair | "container";
  readonly idmapRecursive?: boolean;
  /** Where the source is a link: that itself is mounted, or one like it is made. */
  readonly sourceLink?: "mount" | "copy";
  /** Whether a link at the target is mounted over and not followed. */
  readonly onLink?: boolean;
  /** The device that it is to be, made for it where that is possible; the owner is the container's. */
  readonly device?: NodeStep;
}

/** A bind mount that changes nothing but its flags, and is told of no other mounts. */
export function bindOf(source: string, target: string, attributes: number): BindStep {
  return {
    do: "bind",
    source,
    target,
    recursive: false,
    set: attributes,
    clear: 0,
    recursiveSet: 0,
    recursiveClear: 0,
    propagation: MS.private,
    propagationRecursive: true,
  };
}

/** S_IFCHR, S_IFBLK and S_IFIFO of inode(7). */
export const NODE_TYPE = { character: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

export interface NodeStep {
  readonly do: "node";
  readonly path: string;
  readonly type: Extract<FileType, "character" | "block" | "fifo">;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface LinkStep {
  readonly do: "link";
  readonly path: string;
  readonly to: string;
}

/** Covers a path, if it is there, by an empty read-only directory or the null device. */
export interface MaskStep {
  readonly do: "mask";
  readonly path: string;
}

/** Makes a path, if it is there, and what is mounted below it, read-only. */
export interface ReadonlyStep {
  readonly do: "read-only";
  readonly path: string;
  /** Whether what is mounted below it stays as it is. */
  readonly alone?: boolean;
}

/** Makes a directory, if it is not there: the working directory, mostly. */
export interface DirectoryStep {
  readonly do: "directory";
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A terminal of the container's own devpts becomes its /dev/console and standard streams. */
export interface ConsoleStep {
  readonly do: "console";
  readonly rows: number;
  readonly columns: number;
}

export type RootStep =
  | FilesystemStep
  | BindStep
  | NodeStep
  | LinkStep
  | MaskStep
  | ReadonlyStep
  | DirectoryStep
  | ConsoleStep;
