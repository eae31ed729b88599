/**
 * What options name, looked up on the host: devices, other containers, volumes, groups. Looks only; makes nothing.
 */
import { Failure } from "../failure.ts";
import { NAMESPACE_FILES } from "../isolation/namespaces.ts";
import { listDirectory, statusOf } from "../linux/hostpath.ts";
import type { Device, NamespaceType } from "../spec/config.ts";
import { currentState } from "./control.ts";
import type { DeviceRequest, RunOptions } from "./options.ts";
import type { StateRoot } from "./paths.ts";
import { type ContainerState, findContainer } from "./state.ts";

export type LookedUpDevice = Device & { readonly access: string };

/** What a device of the host is; a directory stands for all devices below it. */
export function lookUpDevice(request: DeviceRequest): LookedUpDevice[] {
  const status = statusOf(request.source);
  if (status === undefined) {
    throw new Failure(`there is no device '${request.source}' on the host`, {
      hint: "'ls /dev' lists those that there are",
    });
  }
  if (status.type === "directory") {
    return listDirectory(request.source).flatMap(({ name }) =>
      lookUpBelow({ ...request, source: `${request.source}/${name}`, target: `${request.target}/${name}` }),
    );
  }
  if (status.type !== "character" && status.type !== "block") throw new Failure(`'${request.source}' is no device`);
  return [
    {
      type: status.type === "block" ? "b" : "c",
      path: request.target,
      major: status.device.major,
      minor: status.device.minor,
      fileMode: status.mode,
      uid: status.uid,
      gid: status.gid,
      access: request.access,
    },
  ];
}

/** As `lookUpDevice`, but what is no device is passed over, and links are not followed. */
function lookUpBelow(request: DeviceRequest): LookedUpDevice[] {
  const type = statusOf(request.source, { followLinks: false })?.type;
  return type === "character" || type === "block" || type === "directory" ? lookUpDevice(request) : [];
}

/** Parts of /dev that a container has of its own. */
const OWN_PARTS_OF_DEV = new Set([
  "pts",
  "shm",
  "mqueue",
  "fd",
  "console",
  "tty",
  "ptmx",
  "null",
  "zero",
  "full",
  "random",
  "urandom",
]);

/** All devices of the host: for `--privileged`. */
export function allDevices(): LookedUpDevice[] {
  return listDirectory("/dev")
    .filter(({ name }) => !OWN_PARTS_OF_DEV.has(name))
    .flatMap(({ name }) => lookUpBelow({ source: `/dev/${name}`, target: `/dev/${name}`, access: "rwm" }));
}

/** The containers whose namespaces are shared, and where these are. */
export function lookUpNamespaces(
  root: StateRoot,
  options: RunOptions,
): { paths: Partial<Record<NamespaceType, string>>; network: ContainerState | undefined } {
  const paths: Partial<Record<NamespaceType, string>> = {};
  const find = (type: NamespaceType, name: string): ContainerState => {
    const state = currentState(root, findContainer(root, name));
    if (state.status !== "running" || state.init === undefined) {
      throw new Failure(`container '${name}', whose ${type} namespace is to be shared, is not running`, {
        hint: `start it first, or leave out --${type}`,
      });
    }
    paths[type] = `/proc/${state.init.pid}/ns/${NAMESPACE_FILES[type]}`;
    return state;
  };
  if (options.pid.kind === "container") find("pid", options.pid.container);
  if (options.ipc.kind === "container") find("ipc", options.ipc.container);
  const network = options.network.kind === "container" ? find("network", options.network.container) : undefined;
  return { paths, network };
}
