/**
 * Where state lies. MYCONTAINER_ROOT names another place, for tests and for several engines side by side.
 */
import { Failure } from "../failure.ts";
import { variable } from "../linux/environment.ts";

const DEFAULT_ROOT = "/var/lib/mycontainer";

export interface StateRoot {
  /** All state: one directory a container, and those below. */
  readonly path: string;
  readonly images: string;
  readonly networks: string;
  readonly volumes: string;
  /** Links from the names that users gave to ids. */
  readonly names: string;
}

export function stateRoot(path: string = variable("MYCONTAINER_ROOT") || DEFAULT_ROOT): StateRoot {
  if (!path.startsWith("/")) throw new Failure(`MYCONTAINER_ROOT is '${path}', which is no absolute path`);
  return {
    path,
    images: `${path}/images`,
    networks: `${path}/networks`,
    volumes: `${path}/volumes`,
    names: `${path}/names`,
  };
}

/** Directories of the state root that are no containers. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set(["images", "networks", "volumes", "names"]);

export interface ContainerPaths {
  readonly directory: string;
  readonly config: string;
  /** What it was made by, for those that can be started again. */
  readonly options: string;
  readonly state: string;
  /** Its name, if that is another than when it was made. */
  readonly name: string;
  readonly log: string;
  /** Made by whoever waits for the end, filled with the exit code by the supervisor. */
  readonly exit: string;
  /** The socket of its monitor, for `attach`. */
  readonly attach: string;
  /** What its health checks have found; only where there are any. */
  readonly health: string;
  readonly healthLock: string;
  /** There while somebody makes its processes stand still: standstill.ts. */
  readonly paused: string;
  readonly upper: string;
  readonly work: string;
  /** Where the container's root is mounted, in the container's own mount namespace only. */
  readonly rootfs: string;
  readonly resolvConf: string;
  readonly hosts: string;
  readonly hostname: string;
}

export function containerPaths(root: StateRoot, id: string): ContainerPaths {
  const directory = `${root.path}/${id}`;
  return {
    directory,
    config: `${directory}/config.json`,
    options: `${directory}/options.json`,
    state: `${directory}/state.json`,
    name: `${directory}/name`,
    log: `${directory}/log`,
    exit: `${directory}/exit`,
    attach: `${directory}/attach`,
    health: `${directory}/health.json`,
    healthLock: `${directory}/health.lock`,
    paused: `${directory}/paused`,
    upper: `${directory}/upper`,
    work: `${directory}/work`,
    rootfs: `${directory}/rootfs`,
    resolvConf: `${directory}/resolv.conf`,
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
  };
}
