/**
 * Steps that change files: done once for all that they depend on, in this build and in those before.
 */
import { findCached } from "../image/cache-records.ts";
import { monotonicMs, wallClockMs } from "../linux/clock.ts";
import type { StepName } from "./events.ts";
import { type Layer, storedLayer } from "./layer.ts";
import type { Site } from "./site.ts";

/** What a step has made. */
export interface Made {
  /** Undefined if it has changed nothing. */
  readonly layer: Layer | undefined;
  readonly createdMs: number;
}

/** A step for the cache, once its layers are in the store. */
export interface DoneStep extends Made {
  readonly key: string;
  readonly below: readonly Layer[];
  readonly createdBy: string;
}

/** The steps of one build, by their keys. */
export interface Steps {
  readonly known: Map<string, Promise<Made>>;
  readonly done: DoneStep[];
}

function fromStore(site: Site, key: string): Made | undefined {
  if (site.request.noCache) return undefined;
  const { images } = site.root;
  const record = findCached(images, key);
  if (record === undefined) return undefined;
  const last = record.layers.at(-1);
  if (record.isEmpty || last === undefined) return { layer: undefined, createdMs: record.createdMs };
  return { layer: storedLayer(images, last), createdMs: record.createdMs };
}

/** What a step makes: from the cache, from another stage that does the same, or anew. Tells of it. */
export async function doStep(
  site: Site,
  steps: Steps,
  step: StepName,
  key: string,
  below: readonly Layer[],
  make: () => Promise<Layer | undefined>,
): Promise<Made> {
  const startMs = monotonicMs();
  const { tell } = site;
  const tookMs = (): number => monotonicMs() - startMs;
  const cached = (await steps.known.get(key)) ?? fromStore(site, key);
  if (cached !== undefined) {
    tell({ kind: "ended", step, isCached: true, tookMs: tookMs() });
    return cached;
  }
  tell({ kind: "started", step });
  const making = make().then((layer): Made => ({ layer, createdMs: wallClockMs() }));
  steps.known.set(key, making);
  try {
    const made = await making;
    steps.done.push({ ...made, key, below, createdBy: step.source });
    tell({ kind: "ended", step, isCached: false, tookMs: tookMs() });
    return made;
  } catch (error) {
    tell({ kind: "failed", step, tookMs: tookMs() });
    throw error;
  }
}
