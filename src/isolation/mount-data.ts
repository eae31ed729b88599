/**
 * What a file system is told when it is mounted, and what its refusal means.
 */
import { Failure } from "../failure.ts";
import { isErrno } from "../linux/error.ts";
import type { Spec } from "../spec/config.ts";
import type { FilesystemStep } from "./root-steps.ts";

const CONTEXT_TYPES = ["context", "fscontext", "defcontext", "rootcontext"];
const CONTEXT_ANNOTATION = "run.oci.mount_context_type";

/**
 * The option that has a file system carry the mount label, an SELinux context: mount(8), "context="; undefined without a label.
 * By default all of its files have that one. Containers with containers of other labels in them give their files labels themselves:
 * podman's `--security-opt label=nested`, an annotation that crun(1) names first. Pure.
 */
export function contextOption({ linux, annotations }: Spec): string | undefined {
  const type = annotations?.[CONTEXT_ANNOTATION] ?? "context";
  if (!CONTEXT_TYPES.includes(type)) {
    throw new Failure(`annotation ${CONTEXT_ANNOTATION}: '${type}' is not one of ${CONTEXT_TYPES.join(", ")}`);
  }
  return linux?.mountLabel ? `${type}=${linux.mountLabel}` : undefined;
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
