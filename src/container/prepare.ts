/**
 * From options to a container that is ready to be made: looked up, composed, planned, and noted on disk.
 */
import { detectLayout } from "../cgroup/layout.ts";
import { resolveCgroupsPath } from "../cgroup/path.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { Failure } from "../failure.ts";
import { type ResolvedImage, resolveImage } from "../image/resolve.ts";
import { chooseIdRange, type HostRange } from "../isolation/idmap.ts";
import { asksForLabels, checkLabels, labelFacts } from "../isolation/labels.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { checkSysctls } from "../isolation/sysctls.ts";
import { readAccounts, resolveUser } from "../isolation/users.ts";
import { wallClockMs } from "../linux/clock.ts";
import { isErrno } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { changeOwner, exists, makeDirectories, makeDirectory, statusOf, writeNewFile } from "../linux/hostpath.ts";
import { writeAll } from "../linux/io.ts";
import { geteuid, getpid } from "../linux/process.ts";
import { parseSignal } from "../linux/signal.ts";
import { getWindowSize, isTerminal } from "../linux/tty.ts";
import { planNetwork } from "../network/plan.ts";
import { type Reservation, reservePorts } from "../network/ports.ts";
import { cgroupViewOf } from "../plan/cgroup-view.ts";
import { planContainer } from "../plan/container.ts";
import type { IdMaps, Plan, RootSource } from "../plan/plan.ts";
import type { Spec } from "../spec/config.ts";
import { stringifyExact } from "../spec/json.ts";
import { composeSpec } from "./compose.ts";
import { memoryLimitBytes } from "./compose-resources.ts";
import { reconcile, removeFiles } from "./destroy.ts";
import type { Emit } from "./events.ts";
import { newId } from "./id.ts";
import { openRoot } from "./launch.ts";
import { allDevices, lookUpDevice, lookUpNamespaces } from "./lookup.ts";
import { writeNetworkFiles } from "./network-files.ts";
import type { Defaults, RunOptions } from "./options.ts";
import { type ContainerPaths, containerPaths, type StateRoot } from "./paths.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { type ContainerState, claim, claimName, isValidId, nameProcess, releaseName, writeState } from "./state.ts";
import { ensureVolume, ownVolumeName, volumePath } from "./volumes.ts";

/** A container that is on disk, and nothing of it in the kernel yet. */
export interface Prepared {
  readonly plan: Plan;
  readonly state: ContainerState;
  readonly paths: ContainerPaths;
  readonly imageName: string;
  /** Held as long as the container is supervised. */
  readonly lock: Handle;
  readonly rootMount: Handle;
  readonly ports: Reservation;
  readonly interactive: boolean;
  readonly ownNetworkFiles: boolean;
  readonly cgroupTold: { readonly path: string; readonly memoryBytes?: number; readonly cpus?: number } | undefined;
}

const ID_TRIES = 16;
const OTHERS_WRITE = 0o022;

/** What is known of a container before anything is made: enough for its plan. */
export interface Design {
  readonly spec: Spec;
  readonly plan: Plan;
  readonly interactive: boolean;
  readonly ownNetworkFiles: boolean;
  readonly cgroupPath: string;
}

export interface Ground {
  readonly root: StateRoot;
  readonly options: RunOptions;
  readonly defaults: Defaults;
  readonly image: ResolvedImage;
  readonly id: string;
  readonly seccomp: SeccompChoice;
  /** The host's ids that the container's are, with `--userns`. */
  readonly idMap?: HostRange;
  /** Descriptors of trees in which /etc/passwd and /etc/group are looked for, one after the other. */
  readonly accountRoots: readonly number[];
}

/** Plans a container. Looks at the host, and changes nothing there. */
export function design(ground: Ground): Design {
  const { root, options, defaults, image, id } = ground;
  const security = parseSecurityOptions(options.securityOpts);
  const labels = { apparmorProfile: security.apparmor, selinuxLabel: security.selinux };
  if (asksForLabels(labels)) checkLabels(labels, labelFacts());
  const paths = containerPaths(root, id);
  const shared = lookUpNamespaces(root, options);
  const streamsAreTerminals = isTerminal(0) && isTerminal(1);
  const isImplicit = options.tty === undefined && options.interactive === undefined && !options.detach;
  const terminal = options.tty ?? (isImplicit && streamsAreTerminals);
  const windowSize = terminal ? (getWindowSize(1) ?? getWindowSize(0)) : undefined;
  const accounts = readAccounts(ground.accountRoots);
  const { idMap } = ground;
  const { seccomp } = ground;
  const ownNetworkFiles = options.network.kind !== "container";
  const spec = composeSpec(options, {
    id,
    image: image.config,
    defaults,
    paths,
    cgroupKind: detectLayout().kind === "v2" ? "v2" : "v1",
    user: resolveUser(options.user ?? image.config.User ?? "", options.groupAdd, accounts),
    security,
    terminal,
    ...(windowSize === undefined ? {} : { windowSize }),
    joined: shared.paths,
    devices: options.privileged ? allDevices() : options.devices.flatMap(lookUpDevice),
    volumes: volumesOf(root, options, image, id),
    ...(seccomp.kind === "profile" ? { seccomp: seccomp.profile } : {}),
    networkFiles: containerPaths(root, shared.network?.id ?? id),
    ...(idMap === undefined ? {} : { idMap }),
  });
  const cgroupPath = resolveCgroupsPath(spec.linux?.cgroupsPath, id);
  const asked = askedLimits(options);
  const cgroup = planCgroup(detectLayout(), cgroupPath, spec.linux?.resources ?? {}, {
    askedFor: (controller, limit) =>
      limit === "swap" ? options.limits.memorySwapBytes !== undefined : asked.has(controller),
  });
  const namespaces = spec.linux?.namespaces ?? [];
  checkSysctls(
    options.sysctls,
    namespaces.map(({ type }) => type),
  );
  const plan = planContainer(spec, {
    id,
    root: rootSource(ground, paths),
    cgroup,
    cgroupView: cgroupViewOf(
      cgroup,
      namespaces.some(({ type }) => type === "cgroup"),
    ),
    network: planNetwork(networkOptions(options, id), { networks: [] }),
    init: options.init,
    seccomp,
  });
  const interactive = options.interactive ?? isImplicit;
  return { spec, plan, interactive, ownNetworkFiles, cgroupPath };
}

/** The controllers of which a limit was asked for: without them the container is not made. */
function askedLimits({ limits, privileged }: RunOptions): Set<string> {
  const asked = new Set<string>();
  const add = (controller: string, ...values: unknown[]) => {
    if (values.some((value) => value !== undefined && value !== 0)) asked.add(controller);
  };
  add("memory", limits.memoryBytes, limits.memorySwapBytes, limits.memoryReservationBytes, limits.memorySwappiness);
  add("cpu", limits.cpus, limits.cpuQuotaMicros, limits.cpuShares);
  add("cpuset", limits.cpusetCpus, limits.cpusetMems);
  add("pids", limits.pids);
  add("blkio", limits.blkioWeight);
  add("io", limits.blkioWeight);
  // A container that may make device nodes is never without a guard of its devices.
  if (!privileged) asked.add("devices");
  return asked;
}

function rootSource({ options, image }: Pick<Ground, "options" | "image">, paths: ContainerPaths): RootSource {
  if (image.directory !== undefined) return { kind: "directory", path: image.directory };
  return {
    kind: "overlay",
    layersDirectory: image.layersDirectory,
    layers: image.layers,
    upper: paths.upper,
    work: paths.work,
    volatile: isRemovedAtEnd(options),
  };
}

export function isRemovedAtEnd(options: RunOptions): boolean {
  return options.remove ?? !options.detach;
}

function networkOptions(options: RunOptions, id: string): Parameters<typeof planNetwork>[0] {
  const { network } = options;
  return {
    container: id,
    network: network.kind === "container" ? `container:${network.container}` : network.kind,
    publish: options.publish,
    ...(options.ip === undefined ? {} : { ip: options.ip }),
    ...(options.mac === undefined ? {} : { mac: options.mac }),
  };
}

/** Where each volume is: target -> path. Those without a name are called after the container. */
function volumesOf(root: StateRoot, options: RunOptions, image: ResolvedImage, id: string): Record<string, string> {
  const asked = options.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount] : []));
  const targets = new Set(options.mounts.map(({ target }) => target));
  const ofImage = Object.keys(image.config.Volumes ?? {}).filter((target) => !targets.has(target));
  const all = [...asked, ...ofImage.map((target) => ({ target, name: undefined }))];
  return Object.fromEntries(
    all.map(({ target, name }, index) => [target, volumePath(root, name ?? ownVolumeName(id, index))]),
  );
}

export type PrepareRequest = Pick<Ground, "root" | "options" | "defaults" | "seccomp">;

/** Makes a container's directory with all that is on disk of it, and takes what it needs of the host's ports. */
export function prepare({ root, options, defaults, seccomp }: PrepareRequest, emit: Emit): Prepared {
  checkOwner(root);
  const image = resolveImage(root.images, options.image);
  const { id, lock } = claimNewId(root, image.baseName);
  const name = options.name ?? id;
  using stack = new DisposableStack();
  stack.use(lock);
  stack.defer(() => removeFiles(root, { id, name }));
  takeName(root, name, id);
  emit({ kind: "creating", id });
  const paths = containerPaths(root, id);
  const removeAtEnd = isRemovedAtEnd(options);
  const idMap = options.userns ? chooseIdRange() : undefined;
  const idMaps = idMap === undefined ? undefined : mapsOf(idMap);
  const ground = { root, options, defaults, seccomp, image, id, ...(idMap === undefined ? {} : { idMap }) };
  if (image.directory === undefined) makeOverlayDirectories(paths, idMaps);
  const source = rootSource({ options, image }, paths);
  const rootMount = stack.use(openRoot(source, idMaps === undefined ? {} : { idMaps }));
  makeBindSources(options);
  const designed = design({ ...ground, accountRoots: [rootMount.fd] });
  for (const [target, path] of Object.entries(volumesOf(root, options, image, id))) {
    ensureVolume(root, path.slice(root.volumes.length + 1), rootMount.fd, target);
  }
  if (designed.ownNetworkFiles) writeNetworkFiles(paths, options, designed.plan);
  const { network } = designed.plan;
  const ports = reservePorts(network.kind === "bridge" ? network.ports : []);
  for (const handle of ports.handles) stack.use(handle);
  const state = initialState(options, defaults, image, designed, { id, name, removeAtEnd });
  writeNewFile(paths.config, stringifyExact(designed.spec));
  writeState(root, state, { durable: !removeAtEnd });
  if (options.cidFile !== undefined) writeIdFile(options.cidFile, id);
  for (const text of designed.plan.cgroup?.warnings ?? []) emit({ kind: "warning", text });
  stack.move();
  return {
    plan: designed.plan,
    state,
    paths,
    imageName: image.baseName,
    lock,
    rootMount,
    ports,
    interactive: designed.interactive,
    ownNetworkFiles: designed.ownNetworkFiles,
    cgroupTold: tellCgroup(options, defaults, designed),
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

function mapsOf(range: HostRange): IdMaps {
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
  identity: { readonly id: string; readonly name: string; readonly removeAtEnd: boolean },
): ContainerState {
  const supervisor = nameProcess(getpid());
  if (supervisor === undefined) throw new Error("this process is not in /proc");
  const stopSignal = options.stopSignal ?? image.config.StopSignal ?? "SIGTERM";
  if (parseSignal(stopSignal) === undefined) throw new Failure(`unknown stop signal '${stopSignal}'`);
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
function takeName(root: StateRoot, name: string, id: string): void {
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
