/**
 * From options to a container that is ready to be made: looked up, composed, planned, and noted on disk.
 */
import { Failure } from "../failure.ts";
import { baseNameIn, type ResolvedImage } from "../image/resolve.ts";
import type { HostRange } from "../isolation/idmap.ts";
import { chooseIdRange } from "../isolation/idmap.ts";
import { wallClockMs } from "../linux/clock.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import {
  changeOwner,
  exists,
  makeDirectories,
  makeDirectory,
  O_CREAT,
  O_EXCL,
  O_WRONLY,
  openHost,
  statusOf,
  writeNewFile,
} from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { geteuid, getpid } from "../linux/process.ts";
import { parseSignal } from "../linux/signal.ts";
import type { Reservation, ReservedPort } from "../network/ports.ts";
import { reservePorts } from "../network/ports.ts";
import type { IdMaps, Plan } from "../plan/plan.ts";
import { stringifyExact } from "../spec/json.ts";
import { memoryLimitBytes } from "./compose-resources.ts";
import type { Design, Ground, PrepareRequest } from "./design.ts";
import { design, imageOf, isRemovedAtEnd, rootSource, volumesOf } from "./design.ts";
import { reconcile, removeAll } from "./destroy.ts";
import type { Emit } from "./events.ts";
import { exposedPorts } from "./exposed.ts";
import { healthPlanOf, inShellOf, mergeHealthcheck } from "./health.ts";
import { newId } from "./id.ts";
import { writeNetworkFiles } from "./network-files.ts";
import { openRoot } from "./open-root.ts";
import type { Defaults, RunOptions } from "./options.ts";
import type { ContainerPaths, StateRoot } from "./paths.ts";
import { containerPaths } from "./paths.ts";
import { savedText } from "./saved-text.ts";
import type { ContainerState } from "./state.ts";
import { claim, claimName, isValidId, nameProcess, releaseName, writeState } from "./state.ts";
import { ensureVolume } from "./volumes.ts";

/** A container that is on disk, and nothing of it in the kernel yet. */
export interface Prepared {
  readonly plan: Plan;
  readonly state: ContainerState;
  readonly paths: ContainerPaths;
  readonly imageName: string;
  /** Held as long as the container is supervised. */
  readonly lock: Handle;
  readonly rootMount: Handle;
  /** What something is mounted on in it. */
  readonly mountPoints: readonly string[];
  readonly ports: Reservation;
  readonly interactive: boolean;
  readonly ownNetworkFiles: boolean;
  readonly cgroupTold: { readonly path: string; readonly memoryBytes?: number; readonly cpus?: number } | undefined;
}

const ID_TRIES = 16;
const OTHERS_WRITE = 0o022;

/** Makes a container's directory with all that is on disk of it, and takes what it needs of the host's ports. */
export function prepare({ image: given, ...request }: PrepareRequest, emit: Emit): Prepared {
  const { root, options } = request;
  checkOwner(root);
  // The directory comes first, and then the look at the image: whoever removes images takes them out of sight, and then looks for
  // directories (image/aside.ts). An id needs one look more, for the container's own.
  const baseName = given?.baseName ?? baseNameIn(options.image) ?? imageOf(root, options).baseName;
  const { id, lock } = claimNewId(root, baseName);
  const name = options.name ?? id;
  using stack = new DisposableStack();
  stack.use(lock);
  stack.defer(() => removeAll(root, { id, name }));
  const image = given ?? imageOf(root, options);
  takeName(root, name, id);
  emit({ kind: "creating", id });
  const idMap = options.userns ? chooseIdRange() : undefined;
  if (image.directory === undefined) makeOverlayDirectories(containerPaths(root, id), mapsOf(idMap));
  const ground = { ...request, image, id, ...(idMap === undefined ? {} : { idMap }) };
  const prepared = equip(ground, { name, lock }, stack, emit);
  if (options.cidFile !== undefined) writeIdFile(options.cidFile, id);
  stack.move();
  return prepared;
}

export interface Identity {
  readonly name: string;
  readonly lock: Handle;
  /** What is known of it, if it is made again. */
  readonly former?: ContainerState;
}

/**
 * All of a container but its directory: its root, its plan, its ports, and the record of what is about to be done. What is opened
 * goes with the stack.
 */
export function equip(
  ground: Omit<Ground, "accountRoots">,
  { name, lock, former }: Identity,
  stack: DisposableStack,
  emit: Emit,
): Prepared {
  const { root, options, defaults, image, id } = ground;
  const paths = containerPaths(root, id);
  const idMaps = mapsOf(ground.idMap);
  const removeAtEnd = isRemovedAtEnd(options);
  const rootMount = stack.use(openRoot(rootSource(ground, paths), idMaps === undefined ? {} : { idMaps }));
  makeBindSources(options);
  const designed = design({ ...ground, accountRoots: [rootMount.fd] });
  for (const [target, path] of Object.entries(volumesOf(root, options, image, id))) {
    ensureVolume(root, path.slice(root.volumes.length + 1), rootMount.fd, target);
  }
  if (designed.ownNetworkFiles) writeNetworkFiles(paths, options, designed.plan);
  const { network } = designed.plan;
  const isStarted = ground.keepsRoot !== true || former !== undefined;
  const ports = reservePorts(network.kind === "bridge" && isStarted ? network.ports : []);
  for (const handle of ports.handles) stack.use(handle);
  const fresh = initialState(options, defaults, image, designed, ports.ports, { id, name, removeAtEnd });
  const state = former === undefined ? fresh : madeAgain(fresh, former);
  writeNewFile(paths.config, stringifyExact(designed.spec));
  if (former === undefined && (!removeAtEnd || ground.keepsRoot === true)) {
    const { terminal } = designed.plan.process;
    writeNewFile(paths.options, savedText({ options, defaults, terminal, interactive: designed.interactive }));
  }
  writeState(root, state, { durable: !removeAtEnd });
  for (const text of designed.plan.cgroup?.warnings ?? []) emit({ kind: "warning", text });
  return {
    plan: designed.plan,
    state,
    paths,
    imageName: image.baseName,
    lock,
    rootMount,
    mountPoints: (designed.spec.mounts ?? []).map(({ destination }) => destination),
    ports,
    interactive: designed.interactive,
    ownNetworkFiles: designed.ownNetworkFiles,
    cgroupTold: tellCgroup(options, defaults, designed),
  };
}

/** The state of a container that is made again: what it was before stays known until it runs. */
function madeAgain(fresh: ContainerState, former: ContainerState): ContainerState {
  const { name, image, createdMs, labels, exit, removeAtEnd, status } = former;
  return {
    ...fresh,
    ...{ name, image, createdMs, labels, removeAtEnd },
    ...(exit === undefined ? {} : { exit }),
    before: status === "created" ? "created" : "exited",
  };
}

/** `--cidfile`: a file that is there already belongs to another container. */
function writeIdFile(path: string, id: string): void {
  try {
    using file = openHost(path, O_WRONLY | O_CREAT | O_EXCL, 0o644);
    writeAll(file.fd, id, path);
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new Failure(`the file '${path}' for the id is there already`, {
      hint: "remove it, or name another with --cidfile",
    });
  }
}

function mapsOf(range: HostRange | undefined): IdMaps | undefined {
  if (range === undefined) return undefined;
  const map = [{ containerID: 0, ...range }];
  return { uids: map, gids: map };
}

function tellCgroup(options: RunOptions, defaults: Defaults, designed: Design): Prepared["cgroupTold"] {
  const directories = designed.plan.cgroup?.directories ?? [];
  // On version 1 there is one in each hierarchy: the one of the memory controller stands for all.
  const shown = directories.find(({ controllers }) => controllers.includes("memory")) ?? directories[0];
  if (shown === undefined) return undefined;
  const memoryBytes = memoryLimitBytes(options, defaults);
  const { quota, period } = designed.spec.linux?.resources?.cpu ?? {};
  const cpus = quota === undefined || period === undefined ? undefined : Number(quota) / period;
  return {
    path: shown.directory,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpus === undefined ? {} : { cpus }),
  };
}

function initialState(
  options: RunOptions,
  defaults: Defaults,
  image: ResolvedImage,
  designed: Design,
  ports: readonly ReservedPort[],
  identity: { readonly id: string; readonly name: string; readonly removeAtEnd: boolean },
): ContainerState {
  const supervisor = nameProcess(getpid());
  if (supervisor === undefined) throw new Error("this process is not in /proc");
  const stopSignal = options.stopSignal ?? image.config.StopSignal ?? "SIGTERM";
  if (parseSignal(stopSignal) === undefined) throw new Failure(`unknown stop signal '${stopSignal}'`);
  const exposed = exposedPorts(options, image.config);
  const healthcheck = inShellOf(image.config.Shell, mergeHealthcheck(options.healthcheck, image.config.Healthcheck));
  healthPlanOf(healthcheck); // says what is wrong with it
  return {
    version: 1,
    ...identity,
    image: image.name,
    imageDigest: image.digest,
    command: designed.plan.process.args,
    createdMs: wallClockMs(),
    status: "creating",
    supervisor,
    cgroupPath: designed.cgroupPath,
    hasNetwork: designed.plan.network.kind === "bridge",
    detached: options.detach,
    terminal: designed.plan.process.terminal,
    labels: { ...image.config.Labels, ...options.labels },
    seccomp: designed.plan.process.seccomp.kind,
    stopSignal,
    stopTimeoutSeconds: options.stopTimeoutSeconds ?? defaults.stopTimeoutSeconds,
    ...(ports.length === 0 ? {} : { ports }),
    ...(exposed.length === 0 ? {} : { exposed }),
    ...(healthcheck === undefined ? {} : { healthcheck }),
  };
}

/** Whoever may write to the state of containers may become root by it. */
function checkOwner(root: StateRoot): void {
  const status = statusOf(root.path);
  if (status === undefined) return makeDirectories(root.path);
  if (status.type !== "directory") throw new Failure(`${root.path} is no directory`);
  if (status.uid !== geteuid() || (status.mode & OTHERS_WRITE) !== 0) {
    throw new Failure(`${root.path} belongs to another user, or may be written to by others`, {
      hint: `chown it to yourself and 'chmod 700 ${root.path}'`,
    });
  }
}

function claimNewId(root: StateRoot, baseName: string): { id: string; lock: Handle } {
  for (let tries = 0; tries < ID_TRIES; tries++) {
    const id = newId(baseName);
    const lock = claim(root, id);
    if (lock !== undefined) return { id, lock };
  }
  throw new Failure("no free id could be found");
}

/** Gives the container its name. A name of a container that has died half way is freed first. */
export function takeName(root: StateRoot, name: string, id: string): void {
  if (name === id) return;
  if (!isValidId(name)) {
    throw new Failure(`bad container name '${name}'`, {
      hint: "use letters, digits, '_', '.' and '-', beginning with a letter or digit",
    });
  }
  let owner = claimName(root, name, id);
  if (owner !== undefined) {
    const isThere = () => statusOf(containerPaths(root, owner ?? "").directory) !== undefined;
    if (isThere()) reconcile(root, owner);
    if (!isThere()) releaseName(root, name, owner);
    owner = claimName(root, name, id);
  }
  if (owner !== undefined) {
    throw new Failure(`the name '${name}' is in use by container '${owner}'`, {
      hint: `remove that one with 'mycontainer rm ${name}', or choose another name`,
    });
  }
}

function makeOverlayDirectories(paths: ContainerPaths, idMaps: IdMaps | undefined): void {
  makeDirectory(paths.upper, 0o755);
  makeDirectory(paths.work, 0o700);
  makeDirectory(paths.rootfs, 0o700);
  // The root directory of the overlay is the upper one: it belongs to the container's root.
  const [uid, gid] = [idMaps?.uids[0]?.hostID, idMaps?.gids[0]?.hostID];
  if (uid !== undefined && gid !== undefined) changeOwner(paths.upper, uid, gid);
}

/** `-v` makes a source that is not there, as docker does. */
function makeBindSources(options: RunOptions): void {
  for (const mount of options.mounts) {
    if (mount.kind === "bind" && mount.createSource && !exists(mount.source)) makeDirectories(mount.source, 0o755);
  }
}
