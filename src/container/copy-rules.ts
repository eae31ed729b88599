/**
 * What `cp` means: docker's rules of where a copy goes and what it is called (docker's reference, "docker container cp"). Pure.
 */
import { Failure } from "../failure.ts";
import type { FileType } from "../linux/status.ts";

/** One side of a copy, as it is written. */
export type CopyArgument =
  | { readonly kind: "container"; readonly container: string; readonly path: string }
  | { readonly kind: "host"; readonly path: string }
  | { readonly kind: "stream" };

/**
 * `CONTAINER:PATH`, `PATH` or `-`. A path of the host that has a colon is written with a slash before it, as in `./a:b`.
 */
export function parseCopyArgument(text: string): CopyArgument {
  if (text === "-") return { kind: "stream" };
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon < 0) return { kind: "host", path: text };
  return { kind: "container", container: text.slice(0, colon), path: text.slice(colon + 1) };
}

export interface CopyPath {
  /** Absolute, without `.`, `..` and empty parts. */
  readonly path: string;
  /** The path's last part; "" for the root. */
  readonly name: string;
  /** Whether it is written as a directory: with a slash at its end. */
  readonly isDirectory: boolean;
  /** Whether it is written as what is in a directory: with `/.` at its end. */
  readonly isContents: boolean;
}

/** A path as docker reads it: `..` takes back what is before it, whatever that is; what is relative is so to `base`. */
export function parseCopyPath(text: string, base: string): CopyPath {
  const parts: string[] = [];
  for (const part of `${text.startsWith("/") ? "" : base}/${text}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const isContents = text === "." || text.endsWith("/.");
  return {
    path: `/${parts.join("/")}`,
    name: parts.at(-1) ?? "",
    isDirectory: isContents || text.endsWith("/"),
    isContents,
  };
}

/** What is at the place that a copy is to go to, links followed. */
export type CopyTarget =
  | { readonly kind: "directory" }
  /** A file or nothing of that name, in a directory that is there. */
  | { readonly kind: "other"; readonly type: FileType; readonly name: string }
  | { readonly kind: "missing"; readonly name: string };

export interface CopyPlan {
  /** Whether what is unpacked goes into the target, or beside it, into the directory that it is in. */
  readonly into: "target" | "parent";
  /** What the copy is called there; "" if it is the directory itself, into which the contents go. */
  readonly name: string;
}

/**
 * Where a copy goes.
 * @param source what is copied, and whether that is a directory
 * @param about the target, as the user wrote it
 */
export function planCopy(
  source: CopyPath,
  sourceIsDirectory: boolean,
  target: CopyTarget,
  wanted: CopyPath,
  about: string,
): CopyPlan {
  switch (target.kind) {
    case "directory":
      return { into: "target", name: source.isContents ? "" : source.name };
    case "other":
      if (sourceIsDirectory) {
        throw new Failure(`cannot copy a directory to '${about}', which is a file`, {
          hint: "name a directory, or a path where there is nothing yet",
        });
      }
      if (wanted.isDirectory) throw notADirectory(about);
      if (target.type === "character" || target.type === "block") {
        throw new Failure(`'${about}' is a device`, { hint: "name a file or a directory" });
      }
      return { into: "parent", name: target.name };
    case "missing":
      if (!sourceIsDirectory && wanted.isDirectory) {
        throw new Failure(`there is no directory '${about}'`, { hint: "make it first, or leave out the slash" });
      }
      return { into: "parent", name: target.name };
  }
}

export const notADirectory = (about: string): Failure =>
  new Failure(`'${about}' is not a directory`, { hint: "leave out what follows the name" });
