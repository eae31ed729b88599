/**
 * The layers of an image that is pulled: side by side they are downloaded, verified and unpacked as their bytes arrive.
 */
import { Failure } from "../failure.ts";
import { attempt, isErrno, KernelError } from "../linux/error.ts";
import type { Handle } from "../linux/fd.ts";
import { O_RDONLY, openHost } from "../linux/hostpath.ts";
import { pipe } from "../linux/io.ts";
import { processorCount } from "../linux/processors.ts";
import type { Turns } from "../linux/turns.ts";
import { type Sink, TransportError } from "../registry/exchange.ts";
import { startUnpacking, type UnpackedLayer, type Unpacking } from "./codec.ts";
import { checkDiffId, type LayerArchive } from "./layers.ts";
import { claimPartial, linkFile, type Partial } from "./partial.ts";
import type { LayerEvent, LayerState } from "./pull-events.ts";
import { hexOf } from "./reference.ts";
import { Slots } from "./slots.ts";
import type { Staging } from "./staging.ts";
import { storePaths } from "./store.ts";

const DOWNLOADS_AT_ONCE = 6;
/** Each keeps two processors busy, and one of them mostly. */
const CODECS_AT_MOST = 4;
/** How often a download that brings nothing new is tried again, and how long after the first time: doubled each time. */
const TRIES = 5;
const PAUSE_MS = 500;
/** What a try has to bring: less, again and again, would go on for ever. */
const PROGRESS_LEAST_BYTES = 64 * 1024;
const F_SETPIPE_SZ = 1031;
const PIPE_BYTES = 1024 * 1024;

/** A layer of the manifest. */
export interface LayerPlan {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly diffId: string;
  /** What the user knows it by. */
  readonly about: string;
  /** Whether the store has it, unpacked upon the same layers. */
  readonly isHere: boolean;
}

/** Gets a blob into a sink, and verifies nothing. */
export type FetchBlob = (layer: LayerPlan, sink: Sink, progress: (bytes: number) => void) => Promise<void>;

export interface LayerContext {
  readonly images: string;
  readonly staging: Staging;
  readonly turns: Turns;
  readonly fetch: FetchBlob;
  /** Has all that is being fetched fail. */
  readonly abort: () => void;
  readonly tell: (event: LayerEvent) => void;
}

/** What the codec says against a layer that has come. */
class Unusable extends Error {
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super("unusable");
    this.cause = cause;
  }
}

type Ready = NonNullable<LayerArchive["ready"]>;

/** An archive in the staging place, and the layer that has been unpacked from it already. */
interface Arrived {
  readonly path: string;
  readonly first?: Ready;
}

class LayerPull {
  readonly #context: LayerContext;
  readonly #downloads = new Slots(DOWNLOADS_AT_ONCE);
  readonly #codecs = new Slots(Math.min(processorCount(), CODECS_AT_MOST));
  readonly #working = new Set<Unpacking>();
  readonly #arrived = new Map<string, Arrived>();
  #failure: { readonly error: unknown } | undefined;

  constructor(context: LayerContext) {
    this.#context = context;
  }

  /** The archives of all layers, in their order, unpacked where that is needed. */
  async run(layers: readonly LayerPlan[]): Promise<LayerArchive[]> {
    const firsts = layers.filter((layer, index) => layers.findIndex(({ digest }) => digest === layer.digest) === index);
    for (let left = firsts; left.length > 0; ) {
      const busy: LayerPlan[] = [];
      await this.#all(left, async (layer) => {
        const arrived = await this.#obtain(layer);
        if (arrived === undefined) busy.push(layer);
        else this.#arrived.set(layer.digest, arrived);
      });
      left = busy;
      // Another pull is at work on them. None of our locks is held now, so that it may wait for us in turn.
      const [next] = busy;
      if (next !== undefined) claimPartial(this.#context.images, next.digest, { wait: true })?.[Symbol.dispose]();
    }
    const archives: LayerArchive[] = [];
    await this.#all(layers, async (layer) => {
      archives[layers.indexOf(layer)] = await this.#archiveOf(layer, firsts.includes(layer));
    });
    return archives;
  }

  /** Does something with all layers at once. The first failure ends the others soon, and is thrown when all have ended. */
  async #all(layers: readonly LayerPlan[], work: (layer: LayerPlan) => Promise<void>): Promise<void> {
    const guarded = async (layer: LayerPlan): Promise<void> => {
      try {
        await work(layer);
      } catch (error) {
        if (this.#failure !== undefined) return;
        this.#failure = { error: error instanceof Unusable ? error.cause : error };
        this.#context.abort();
        for (const unpacking of this.#working) unpacking.stop();
      }
    };
    await Promise.all(layers.map(guarded));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #tell({ digest, sizeBytes }: LayerPlan, state: LayerState, doneBytes = sizeBytes): void {
    this.#context.tell({ kind: "layer", digest, sizeBytes, state, doneBytes });
  }

  /** Nothing new is begun after a failure. */
  #goOn(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Brings a layer's archive into the staging place; undefined if another pull is about to bring it into the store. */
  async #obtain(layer: LayerPlan): Promise<Arrived | undefined> {
    const { images, staging } = this.#context;
    const path = staging.newPath();
    const blob = `${storePaths(images).blobs}/${hexOf(layer.digest)}`;
    if (linkIfThere(blob, path)) {
      if (layer.isHere) this.#tell(layer, "exists");
      return { path };
    }
    this.#tell(layer, "waiting", 0);
    using place = await this.#downloads.take();
    this.#goOn();
    using partial = claimPartial(images, layer.digest, { wait: false });
    if (partial === undefined) return undefined;
    // Another pull may have come to its end meanwhile.
    if (linkIfThere(blob, path)) {
      partial.restart();
      return { path };
    }
    const first = await this.#download(layer, partial, place);
    partial.linkTo(path);
    return { path, first };
  }

  /** Completes the beginning of an archive, and unpacks it: that verifies it. */
  async #download(layer: LayerPlan, partial: Partial, place: Disposable): Promise<Ready> {
    for (let isOwn = partial.sizeBytes === 0; ; isOwn = true) {
      try {
        return await this.#verified(layer, partial, place);
      } catch (error) {
        // It would stand in the way of whatever is done about it.
        if (isFull(error) || isFull(this.#failure?.error)) partial.restart();
        if (!(error instanceof Unusable)) throw error;
        // What does not stand the test is not gone on with. If it was there before, there is another chance.
        partial.restart();
        if (isOwn || this.#failure !== undefined) throw error;
      }
    }
  }

  async #verified(layer: LayerPlan, partial: Partial, place: Disposable): Promise<Ready> {
    if (partial.sizeBytes > layer.sizeBytes) partial.restart();
    if (partial.sizeBytes < layer.sizeBytes) {
      using codec = this.#codecs.tryTake();
      if (codec !== undefined) return await this.#stream(layer, partial);
      await this.#transfer(layer, partial);
    }
    place[Symbol.dispose]();
    return await this.#unpackFile(layer, partial.path);
  }

  /** Downloads an archive, and has it unpacked as it comes. */
  async #stream(layer: LayerPlan, partial: Partial): Promise<Ready> {
    const [readable, writable] = pipe();
    using stack = new DisposableStack();
    for (const end of [readable, writable]) stack.use(end);
    attempt("fcntl", writable.fd, F_SETPIPE_SZ, PIPE_BYTES);
    return await this.#unpack(layer, readable, async () => {
      readable.close();
      try {
        await this.#transfer(layer, partial, writable);
      } catch (error) {
        // The codec has had enough, and says why.
        if (!(error instanceof TransportError && error.code === "EPIPE")) throw error;
      }
      writable.close();
    });
  }

  async #unpackFile(layer: LayerPlan, path: string): Promise<Ready> {
    using _place = await this.#codecs.take();
    this.#goOn();
    this.#tell(layer, "unpacking");
    using input = openHost(path, O_RDONLY);
    return await this.#unpack(layer, input);
  }

  /** Unpacks an archive into a new directory. `feed`: what has to be done for its bytes to come. */
  async #unpack(layer: LayerPlan, input: Handle, feed?: () => Promise<void>): Promise<Ready> {
    const path = this.#context.staging.newDirectory();
    const { digest, sizeBytes, about } = layer;
    using unpacking = startUnpacking(input, path, { digest, sizeBytes }, about);
    this.#working.add(unpacking);
    try {
      await feed?.();
      await this.#context.turns.readable(unpacking.readyFd);
      const done = endOf(unpacking, layer);
      this.#tell(layer, "complete");
      return { path, sizeBytes: done.fileBytes, marks: done };
    } finally {
      this.#working.delete(unpacking);
    }
  }

  /** Gets what is missing of an archive, with more than one try as long as that helps. */
  async #transfer(layer: LayerPlan, partial: Partial, pipeEnd?: Handle): Promise<void> {
    let pipedBytes = 0;
    for (let tries = 0; ; tries++) {
      this.#goOn();
      const presentBytes = partial.sizeBytes;
      let doneBytes = presentBytes;
      const progress = (bytes: number): void => {
        doneBytes += bytes;
        this.#tell(layer, "downloading", doneBytes);
      };
      progress(0);
      const sink = { file: partial.handle, presentBytes, pipedBytes, limitBytes: layer.sizeBytes };
      try {
        await this.#context.fetch(layer, pipeEnd === undefined ? sink : { ...sink, pipe: pipeEnd }, progress);
        const { sizeBytes } = partial;
        if (sizeBytes === layer.sizeBytes) return;
        throw new TransportError("cut", `only ${sizeBytes} of ${layer.sizeBytes} bytes of ${layer.about} have come`);
      } catch (error) {
        if (isFull(error)) throw new KernelError("write", 28, partial.path);
        if (!isPassing(error)) throw error;
        if (partial.sizeBytes - presentBytes >= PROGRESS_LEAST_BYTES) tries = 0;
        if (tries + 1 >= TRIES) throw error;
        pipedBytes = Math.max(pipedBytes, error.pipedBytes);
      }
      await this.#context.turns.after(PAUSE_MS * 2 ** tries);
    }
  }

  /** The archive of a layer, with what has been unpacked of it; that of its first use may be taken over. */
  async #archiveOf(layer: LayerPlan, isFirst: boolean): Promise<LayerArchive> {
    const { digest, sizeBytes, diffId, about, isHere } = layer;
    const arrived = this.#arrived.get(digest);
    if (arrived === undefined) throw new Error(`${about} has not arrived`);
    const archive = { path: arrived.path, digest, sizeBytes, diffId, about };
    if (isHere) return archive;
    const ready = (isFirst ? arrived.first : undefined) ?? (await this.#unpackFile(layer, arrived.path));
    return { ...archive, ready };
  }
}

/** What was unpacked. Throws Unusable if the codec refuses it, or it is not what the image's configuration says. */
function endOf(unpacking: Unpacking, layer: LayerPlan): UnpackedLayer {
  try {
    const done = unpacking.end();
    checkDiffId(done, layer);
    return done;
  } catch (error) {
    if (error instanceof Failure) throw new Unusable(error);
    throw error;
  }
}

/** Whether there is no room: for the file, or for what is unpacked. */
function isFull(error: unknown): boolean {
  if (isErrno(error, "ENOSPC", "EDQUOT")) return true;
  return error instanceof TransportError && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** Whether it may go better the next time. */
function isPassing(error: unknown): error is TransportError {
  return error instanceof TransportError && (error.trouble === "cut" || error.trouble === "timeout");
}

function linkIfThere(from: string, to: string): boolean {
  try {
    linkFile(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** Brings the layers of an image into the staging place. Throws a Failure, a TransportError, or what `fetch` throws. */
export function pullLayers(context: LayerContext, layers: readonly LayerPlan[]): Promise<LayerArchive[]> {
  return new LayerPull(context).run(layers);
}
