/**
 * What a container is going to be: options, image and defaults looked up, composed and planned. Looks at the host, and changes
 * nothing there: `--dry-run` ends here.
 */
import { detectLayout } from "../cgroup/layout.ts";
import { resolveCgroupsPath } from "../cgroup/path.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { directoryImage } from "../image/directory.ts";
import { type ResolvedImage, resolveImage } from "../image/resolve.ts";
import type { HostRange } from "../isolation/idmap.ts";
import { asksForLabels, checkLabels, labelFacts } from "../isolation/labels.ts";
import type { SeccompChoice } from "../isolation/seccomp/filter.ts";
import { checkSysctls } from "../isolation/sysctls.ts";
import { readAccounts, resolveUser } from "../isolation/users.ts";
import { getWindowSize, isTerminal } from "../linux/tty.ts";
import { planNetwork } from "../network/plan.ts";
import { cgroupViewOf } from "../plan/cgroup-view.ts";
import { planContainer } from "../plan/container.ts";
import type { Plan, RootSource } from "../plan/plan.ts";
import type { Spec } from "../spec/config.ts";
import { composeSpec } from "./compose.ts";
import { publishOf } from "./exposed.ts";
import { allDevices, lookUpDevice, lookUpNamespaces } from "./lookup.ts";
import type { Defaults, RunOptions } from "./options.ts";
import type { ContainerPaths, StateRoot } from "./paths.ts";
import { containerPaths } from "./paths.ts";
import { parseSecurityOptions } from "./security-options.ts";
import { ownVolumeName, volumePath } from "./volumes.ts";

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
  /** Whether what it writes has to outlast its first end, whatever becomes of it then: it is only made, or made again. */
  readonly keepsRoot?: boolean;
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
    rootPath: image.directory ?? paths.rootfs,
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
    network: planNetwork(networkOptions(ground), { networks: [] }),
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

/** What the container's root is made of. Throws a Failure if it is not here. */
export function imageOf(root: StateRoot, options: RunOptions): ResolvedImage {
  return options.rootfs ? directoryImage(options.image) : resolveImage(root.images, options.image);
}

export function rootSource(ground: Omit<Ground, "accountRoots">, paths: ContainerPaths): RootSource {
  const { options, image } = ground;
  if (image.directory !== undefined) return { kind: "directory", path: image.directory };
  return {
    kind: "overlay",
    layersDirectory: image.layersDirectory,
    layers: image.layers,
    upper: paths.upper,
    work: paths.work,
    volatile: isRemovedAtEnd(options) && ground.keepsRoot !== true,
  };
}

export function isRemovedAtEnd(options: RunOptions): boolean {
  return options.remove ?? !options.detach;
}

function networkOptions({ options, image, id }: Ground): Parameters<typeof planNetwork>[0] {
  const { network } = options;
  return {
    container: id,
    network: network.kind === "container" ? `container:${network.container}` : network.kind,
    publish: publishOf(options, image.config),
    ...(options.ip === undefined ? {} : { ip: options.ip }),
    ...(options.mac === undefined ? {} : { mac: options.mac }),
  };
}

/** Where each volume is: target -> path. Those without a name are called after the container. */
export function volumesOf(
  root: StateRoot,
  options: RunOptions,
  image: ResolvedImage,
  id: string,
): Record<string, string> {
  const asked = options.mounts.flatMap((mount) => (mount.kind === "volume" ? [mount] : []));
  const targets = new Set(options.mounts.map(({ target }) => target));
  const ofImage = Object.keys(image.config.Volumes ?? {}).filter((target) => !targets.has(target));
  const all = [...asked, ...ofImage.map((target) => ({ target, name: undefined }))];
  return Object.fromEntries(
    all.map(({ target, name }, index) => [target, volumePath(root, name ?? ownVolumeName(id, index))]),
  );
}

/** What is given, before an id and an image have been found. */
export type PrepareRequest = Pick<Ground, "root" | "options" | "defaults" | "seccomp" | "keepsRoot"> & {
  /** What the root is made of, if that is no image that has a name. */
  readonly image?: ResolvedImage;
};
