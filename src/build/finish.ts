/**
 * The end of a build: what its steps have made goes into the store, with the image.
 */

import { Failure } from "../failure.ts";
import { commitImages, documentOf, manifestFor, type NewImage, type NewStep } from "../image/commit.ts";
import { ociType } from "../image/commit-layer.ts";
import type { LayerArchive } from "../image/layers.ts";
import { LAYER_LIMIT } from "../image/manifest.ts";
import { MEDIA } from "../image/media.ts";
import { type ImageRecord, listRecords } from "../image/store.ts";
import { isObject } from "../spec/json.ts";
import type { DoneStep } from "./cached.ts";
import type { Layer } from "./layer.ts";
import type { Site } from "./site.ts";
import type { StageState } from "./state.ts";

const archivesOf = (layers: readonly Layer[]): Promise<LayerArchive[]> =>
  Promise.all(layers.map((layer) => layer.archive()));

/** The archives of a step, or undefined if one could not be made: then it is done again. */
async function stepOf({ key, below, layer, createdMs, createdBy }: DoneStep): Promise<NewStep | undefined> {
  try {
    const archives = await archivesOf(layer === undefined ? below : [...below, layer]);
    return { key, isEmpty: layer === undefined, createdMs, createdBy, archives };
  } catch {
    return undefined;
  }
}

async function stepsOf(done: readonly DoneStep[]): Promise<NewStep[]> {
  const steps = await Promise.all(done.map(stepOf));
  return steps.filter((step) => step !== undefined);
}

/** The image of a stage's last state. */
async function imageOf({ request }: Site, state: StageState): Promise<NewImage> {
  const { layers, config, author, history, createdMs, document } = state;
  if (layers.length > LAYER_LIMIT) {
    throw new Failure(`the image would have ${layers.length} layers, more than ${LAYER_LIMIT}`, {
      hint: "do more in one RUN, or copy the result into another stage: COPY --from=...",
    });
  }
  const archives = await archivesOf(layers);
  const { container: _container, container_config: _config, config: below, ...rest } = document;
  const labels = { ...config.Labels, ...request.labels };
  const full = { ...config, ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }) };
  const configuration = documentOf(
    {
      ...rest,
      created: new Date(createdMs).toISOString(),
      ...(author === undefined ? {} : { author }),
      config: { ...unknownOf(below), ...full },
      rootfs: { type: "layers", diff_ids: archives.map(({ diffId }) => diffId) },
      history,
    },
    MEDIA.config,
  );
  const manifest = manifestFor(
    configuration,
    archives.map(({ digest, sizeBytes }, index) => {
      return { digest, sizeBytes, mediaType: ociType(layers[index]?.mediaType ?? "") };
    }),
  );
  return { names: request.names, configuration, manifest, createdMs, config: full, layers: archives };
}

/** Fields of a configuration that this program knows: those are said anew, all others stay as the image below has them. */
const KNOWN: ReadonlySet<string> = new Set([
  "User",
  "ExposedPorts",
  "Env",
  "Entrypoint",
  "Cmd",
  "Volumes",
  "WorkingDir",
  "Labels",
  "StopSignal",
  "Healthcheck",
  "OnBuild",
  "Shell",
]);

function unknownOf(config: unknown): Record<string, unknown> {
  if (!isObject(config)) return {};
  return Object.fromEntries(Object.entries(config).filter(([name]) => !KNOWN.has(name)));
}

/** Whether the store has this image already, by all its names. */
function recordOf({ root }: Site, image: NewImage): ImageRecord | undefined {
  const records = listRecords(root.images);
  const isThis = ({ digest }: ImageRecord): boolean => digest === image.manifest.digest;
  if (image.names.length === 0) return records.find(isThis);
  const named = image.names.map((name) => records.find((record) => record.name === name && isThis(record)));
  return named.includes(undefined) ? undefined : named[0];
}

/** Takes image and steps into the store. */
export async function keepBuild(site: Site, state: StageState, done: readonly DoneStep[]): Promise<ImageRecord> {
  const image = await imageOf(site, state);
  const known = done.length === 0 ? recordOf(site, image) : undefined;
  if (known !== undefined) return known;
  const options = { steps: await stepsOf(done), hold: site.hold };
  const [record] = commitImages(site.root.images, site.staging, [image], options);
  if (record === undefined) throw new Error("the build made no record");
  return record;
}

/** Takes the steps that were done into the store, though the build has failed: the next one goes on from there. */
export async function keepSteps(site: Site, done: readonly DoneStep[]): Promise<void> {
  const steps = await stepsOf(done);
  if (steps.length > 0) commitImages(site.root.images, site.staging, [], { steps, hold: site.hold });
}
