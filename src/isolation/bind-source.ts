/**
 * The source of a bind mount, opened on the host's side: as a mount that is attached nowhere, with its ids mapped where that is
 * asked for (runtime-spec config.md#mounts, uidMappings; mount_setattr(2), "ID-mapped mounts").
 */
import { Failure } from "../failure.ts";
import { isErrno, KernelError } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { ATTR, changeAttributes } from "../linux/mount.ts";
import { cloneSource } from "./borrowed-mount.ts";
import type { IdMapPair } from "./idmap.ts";
import { openMappingNamespace } from "./idmap-layers.ts";
import { checkDevice } from "./made-devices.ts";
import type { BindStep } from "./root-steps.ts";

/** How the container's user namespace maps ids: as maps, or as the namespace itself, where it is another's. */
export type ContainerMaps = IdMapPair | { readonly namespace: Handle };

/**
 * A detached mount of the step's source.
 * @param containerMaps for mounts that take them; undefined if the container has no user namespace
 */
export function openBindSource(step: BindStep, containerMaps: ContainerMaps | undefined): Handle {
  const mount = open(step);
  try {
    mapIdsOf(mount, step, containerMaps);
    if (step.device !== undefined) checkDevice(mount, step.device);
    return mount;
  } catch (error) {
    mount.close();
    throw error;
  }
}

function open(step: BindStep): Handle {
  try {
    return cloneSource(step.source, { recursive: step.recursive, followLinks: step.sourceLink === undefined });
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) {
      throw new Failure(
        `cannot mount '${step.source}' on ${step.target}: there is no such file or directory on the host`,
        { hint: "create it first, or correct the path", cause: error },
      );
    }
    if (isErrno(error, "EINVAL")) {
      throw new Failure(`cannot mount '${step.source}' on ${step.target}: it is not to be copied`, {
        hint: "it is unbindable, or has mounts below it that may not be uncovered: use 'rbind'",
        cause: error,
      });
    }
    throw error;
  }
}

/** Has a detached mount map ids, if its step asks for that. */
export function mapIdsOf(mount: Handle, step: BindStep, containerMaps: ContainerMaps | undefined): void {
  if (step.idMaps === undefined) return;
  const maps = step.idMaps === "container" ? containerMaps : step.idMaps;
  if (maps !== undefined && "namespace" in maps) return mapIds(mount, step, maps.namespace);
  if (maps === undefined || maps.uids.length === 0 || maps.gids.length === 0) {
    throw new Failure(`cannot map the ids of '${step.source}': there are no mappings`, {
      hint: "give the mount uidMappings and gidMappings, or the container a user namespace",
    });
  }
  using namespace = openMappingNamespace(maps);
  mapIds(mount, step, namespace);
}

function mapIds(mount: Handle, step: BindStep, namespace: Handle): void {
  const recursive = step.idmapRecursive === true;
  const result = changeAttributes(mount.fd, { set: ATTR.idmap, usernsFd: namespace.fd, recursive });
  if (result === 0) return;
  const error = new KernelError("mount_setattr", -result, step.source);
  const message = `cannot map the ids of '${step.source}' on ${step.target}`;
  if (isErrno(error, "ENOSYS"))
    throw new Failure(`${message}: this kernel cannot`, { hint: "needs Linux 5.12", cause: error });
  if (isErrno(error, "EINVAL")) {
    throw new Failure(`${message}: its file system cannot${recursive ? ", or one mounted below it" : ""}`, {
      hint: "ext4, xfs, btrfs and (since Linux 6.3) tmpfs can",
      cause: error,
    });
  }
  if (isErrno(error, "EPERM")) {
    throw new Failure(`${message}: not permitted`, {
      hint: "it may be mapped already; only root may map ids",
      cause: error,
    });
  }
  throw error;
}
