/**
 * `commit`: what a container has changed becomes a layer on top of its image.
 */
import { Failure } from "../failure.ts";
import { commitOnTop } from "../image/commit-layer.ts";
import { packLayer } from "../image/pack.ts";
import { openStaging } from "../image/staging.ts";
import { type ImageRecord, storeFailure } from "../image/store.ts";
import { wallClockMs } from "../linux/clock.ts";
import { O_CREAT, O_EXCL, O_RDWR, openHost } from "../linux/hostpath.ts";
import type { ImageConfig } from "../spec/image.ts";
import type { Contents } from "./contents.ts";
import type { StateRoot } from "./paths.ts";
import { whilePaused } from "./standstill.ts";
import type { ContainerState } from "./state.ts";

export interface CommitRequest {
  /** In full; none makes an image without a name. */
  readonly names: readonly string[];
  /** What is to be run otherwise than in the container. */
  readonly changes: ImageConfig;
  readonly author: string | undefined;
  readonly message: string | undefined;
  /** Whether the container stands still meanwhile. */
  readonly pause: boolean;
}

/** Of `NAME=VALUE`. */
export const nameOf = (entry: string): string => entry.slice(0, Math.max(0, entry.indexOf("=")));

/** Variables, where later ones take the place of earlier ones. Pure. */
export function mergeEnv(before: readonly string[], after: readonly string[]): string[] {
  const merged = new Map(before.map((entry) => [nameOf(entry), entry]));
  for (const entry of after) merged.set(nameOf(entry), entry);
  return [...merged.values()];
}

/** A configuration with changes: lists are replaced, names of things are added to. Pure. */
export function mergeConfig(before: ImageConfig, changes: ImageConfig): ImageConfig {
  const { Env, Labels, ExposedPorts, Volumes } = before;
  return {
    ...before,
    ...changes,
    ...(changes.Env === undefined ? {} : { Env: mergeEnv(Env ?? [], changes.Env) }),
    ...(changes.Labels === undefined ? {} : { Labels: { ...Labels, ...changes.Labels } }),
    ...(changes.ExposedPorts === undefined ? {} : { ExposedPorts: { ...ExposedPorts, ...changes.ExposedPorts } }),
    ...(changes.Volumes === undefined ? {} : { Volumes: { ...Volumes, ...changes.Volumes } }),
  };
}

/** Set for every container, and nothing of the image's. */
const OWN_VARIABLES: readonly string[] = ["HOSTNAME", "HOME", "TERM"];

/** How the container was run, as the configuration of an image that is run like it. Pure. */
export function configOfContainer(
  base: ImageConfig,
  {
    command,
    labels,
    healthcheck,
    exposed = [],
  }: Pick<ContainerState, "command" | "labels" | "healthcheck" | "exposed">,
  process: { readonly env: readonly string[]; readonly cwd: string },
): ImageConfig {
  const entrypoint = base.Entrypoint ?? [];
  const begins = entrypoint.length > 0 && entrypoint.every((word, index) => command[index] === word);
  const { Entrypoint: _, ...rest } = base;
  const env = process.env.filter((entry) => !OWN_VARIABLES.includes(nameOf(entry)));
  return {
    ...(begins ? base : rest),
    Cmd: begins ? command.slice(entrypoint.length) : [...command],
    Env: mergeEnv(base.Env ?? [], env),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }),
    ...(exposed.length === 0 ? {} : { ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])) }),
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    ...(process.cwd === (base.WorkingDir || "/") ? {} : { WorkingDir: process.cwd }),
  };
}

/** Makes the image. Throws a Failure if the container has no image to be on top of. */
export function commitContainer(root: StateRoot, contents: Contents, request: CommitRequest): ImageRecord {
  const { images } = root;
  const { state, spec, image, upper, owners, places } = contents;
  if (image === undefined || upper === undefined) {
    throw new Failure(`container '${state.name}' was made from a directory, not from an image`, {
      hint: `mycontainer export ${state.name} | mycontainer import - NAME`,
    });
  }
  const process = { env: spec.process?.env ?? [], cwd: spec.process?.cwd ?? "/" };
  const config = mergeConfig(configOfContainer(image.config, state, process), request.changes);
  try {
    using staging = openStaging(images);
    const path = staging.newPath();
    using archive = openHost(path, O_RDWR | O_CREAT | O_EXCL);
    const about = `the changes of container '${state.name}'`;
    const pack = () => packLayer(upper, archive, about, places, { compression: "gzip", owners });
    const packed = request.pause ? whilePaused(root, state, pack) : pack();
    return commitOnTop(images, staging, {
      base: image,
      layer: { ...packed, path },
      names: request.names,
      config,
      author: request.author,
      createdBy: state.command.join(" "),
      comment: request.message,
      createdMs: wallClockMs(),
    });
  } catch (error) {
    throw storeFailure(images, error);
  }
}
