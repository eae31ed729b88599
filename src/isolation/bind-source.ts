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
import type { BindStep } from "./root-steps.ts";

/**
 * A detached mount of the step's source.
 * @param containerMaps of the container's user namespace, for mounts that take them; undefined if it has none of its own
 */
export function openBindSource(step: BindStep, containerMaps: IdMapPair | undefined): Handle {
  const mount = open(step);
  if (step.idMaps === undefined) return mount;
  try {
    mapIds(mount, step, step.idMaps === "container" ? containerMaps : step.idMaps);
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

function mapIds(mount: Handle, step: BindStep, maps: IdMapPair | undefined): void {
  if (maps === undefined || maps.uids.length === 0 || maps.gids.length === 0) {
    throw new Failure(`cannot map the ids of '${step.source}': there are no mappings`, {
      hint: "give the mount uidMappings and gidMappings, or the container a user namespace",
    });
  }
  using namespace = openMappingNamespace(maps);
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
