/**
 * What is in a container: the layers of its image, what it has changed, and both together.
 */
import { Failure } from "../failure.ts";
import { type ImageRecord, listRecords, storePaths } from "../image/store.ts";
import type { HostRange } from "../isolation/idmap.ts";
import type { Handle } from "../linux/fd.ts";
import { readText } from "../linux/hostpath.ts";
import type { Spec } from "../spec/config.ts";
import { parseConfig } from "../spec/parse-config.ts";
import { holdState } from "./hold.ts";
import { containerPaths, type StateRoot } from "./paths.ts";
import { mountOfEnded, mountOfRunning } from "./root-mount.ts";
import { type ContainerState, findContainer } from "./state.ts";

/** A container that is looked into. Its scope's end gives its lock back, if that was taken. */
export interface Contents extends Disposable {
  readonly state: ContainerState;
  readonly spec: Spec;
  /** The image that it was made from; undefined for a plain directory (`run --rootfs`). */
  readonly image: ImageRecord | undefined;
  /** What it has changed; undefined for a plain directory. */
  readonly upper: string | undefined;
  /** Of its image, the topmost first: absolute. */
  readonly layers: readonly string[];
  /** What something is mounted on in it. */
  readonly places: readonly string[];
  /** The host's ids that its own are, with `--userns`. */
  readonly owners: { readonly first: number; readonly count: number } | undefined;
}

function ownersOf(spec: Spec): Contents["owners"] {
  const [map] = spec.linux?.uidMappings ?? [];
  return map === undefined ? undefined : { first: map.hostID, count: map.size };
}

/** The container that a user names. One that has ended is held, so that nobody removes it meanwhile. */
export function openContents(root: StateRoot, name: string): Contents {
  using stack = new DisposableStack();
  const { state, lock } = holdState(root, findContainer(root, name));
  if (lock !== undefined) stack.use(lock);
  const paths = containerPaths(root, state.id);
  const spec = parseConfig(readText(paths.config));
  const image = listRecords(root.images).find(({ digest }) => digest === state.imageDigest);
  const isDirectory = state.imageDigest === "";
  if (image === undefined && !isDirectory) {
    throw new Failure(`the image of container '${name}', ${state.image}, is not here any more`);
  }
  const { layers: layersDirectory } = storePaths(root.images);
  const kept = stack.move();
  return {
    state,
    spec,
    image,
    upper: isDirectory ? undefined : paths.upper,
    layers: (image?.layers ?? []).map(({ directory }) => `${layersDirectory}/${directory}`).reverse(),
    places: (spec.mounts ?? []).map(({ destination }) => destination),
    owners: ownersOf(spec),
    [Symbol.dispose]: () => kept.dispose(),
  };
}

/** A detached mount of its root, as it is seen in it. */
export function mountContents(root: StateRoot, contents: Contents): Handle {
  const { state, spec, image, owners } = contents;
  if (state.status === "running" && state.init !== undefined) {
    return mountOfRunning(state.init, { recursive: false });
  }
  if (image === undefined) return mountOfEnded({ kind: "directory", path: spec.root?.path ?? "" }, undefined);
  const paths = containerPaths(root, state.id);
  const range: HostRange | undefined = owners === undefined ? undefined : { hostID: owners.first, size: owners.count };
  const map = range === undefined ? undefined : [{ containerID: 0, ...range }];
  const source = {
    kind: "overlay",
    layersDirectory: storePaths(root.images).layers,
    layers: image.layers.map(({ directory }) => directory).reverse(),
    upper: paths.upper,
    work: paths.work,
    volatile: false,
  } as const;
  return mountOfEnded(source, map === undefined ? undefined : { uids: map, gids: map });
}
