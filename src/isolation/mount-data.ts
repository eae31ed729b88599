/**
 * What a file system is told when it is mounted, and what its refusal means.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { FilesystemStep } from "./root-steps.ts";

/** The option that gives all files of a file system one SELinux context: mount(8), "context=". */
export function contextOption(label: string): string {
  return `context=${label}`;
}

/** A value without the quotes that keep its commas together in a line of options; fsconfig(2) takes it alone. */
export function unquoted(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** A refusal with what can be done about it, where that is known; else the error as it is. */
export function mountError(error: unknown, { type, target }: FilesystemStep): unknown {
  if (isErrno(error, "ENODEV")) {
    return new Failure(`cannot mount ${type} on ${target}: this kernel has no such file system`, {
      hint: `load it with 'modprobe ${type}'`,
      cause: error,
    });
  }
  if (!isErrno(error, "EPERM")) return error;
  const hint = PERMISSION_HINTS[type];
  if (hint === undefined) return error;
  return new Failure(`cannot mount ${type} on ${target}: not permitted in this user namespace`, { hint, cause: error });
}

const PERMISSION_HINTS: Readonly<Partial<Record<string, string>>> = {
  sysfs: "it needs a network namespace of the container's own; without one, bind the host's /sys",
  proc: "it needs a pid namespace of the container's own, and a /proc of the host with nothing mounted over its parts",
  mqueue: "it needs an ipc namespace of the container's own; without one, bind the host's /dev/mqueue",
};
