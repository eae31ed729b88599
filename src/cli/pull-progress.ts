/**
 * The progress of a pull, as people see it: a bar a layer on a terminal, plain lines elsewhere.
 */
import type { LayerEvent, PullEvent } from "../image/pull-events.ts";
import { hexOf } from "../image/reference.ts";
import { monotonicMs } from "../linux/clock.ts";
import type { EventLoop, Timer } from "../linux/eventloop.ts";
import { writeAll } from "../linux/io.ts";
import { getWindowSize } from "../linux/tty.ts";
import { Block, barLine } from "../term/bars.ts";
import { formatSize } from "../term/format.ts";

const DRAW_EVERY_MS = 80;
const DIGITS = 12;
const USUAL = { rows: 24, columns: 80 } as const;
/** docker's words. */
const WORDS = {
  exists: "Already exists",
  waiting: "Waiting",
  downloading: "Downloading",
  unpacking: "Extracting",
  complete: "Pull complete",
} as const;

const nameOf = (digest: string): string => hexOf(digest).slice(0, DIGITS);
const isOver = ({ state }: LayerEvent): boolean => state === "exists" || state === "complete";
const size = (bytes: number): string => formatSize(bytes, 1000);

/** The line of a layer, for a terminal of so many columns. */
export function layerLine(layer: LayerEvent, columns: number): string {
  const left = `${nameOf(layer.digest)}: ${WORDS[layer.state]}`;
  if (layer.state !== "downloading") return left;
  const right = `${size(layer.doneBytes)}/${size(layer.sizeBytes)}`;
  return barLine(left, right, layer.doneBytes, layer.sizeBytes, columns);
}

/** What to tell of a layer where nothing can be drawn anew; nothing, if that is no news. */
export function plainLine(layer: LayerEvent, before: LayerEvent | undefined): string | undefined {
  if (layer.state === before?.state) return undefined;
  switch (layer.state) {
    case "exists":
    case "complete":
      return `${nameOf(layer.digest)}: ${WORDS[layer.state]}`;
    case "downloading":
      return `${nameOf(layer.digest)}: Pulling fs layer`;
    default:
      return undefined;
  }
}

export interface Progress {
  readonly tell: (event: PullEvent) => void;
  /** Leaves the terminal with all that is known drawn. */
  readonly end: () => void;
}

/** Lines as they come. */
export function plainProgress(fd: number): Progress {
  const layers = new Map<string, LayerEvent>();
  return {
    tell: (event) => {
      if (event.kind !== "layer") return;
      const text = plainLine(event, layers.get(event.digest));
      layers.set(event.digest, event);
      if (text !== undefined) writeAll(fd, `${text}\n`);
    },
    end: () => undefined,
  };
}

/**
 * Bars on a terminal, which are drawn no more often than people can follow.
 * @param later calls a function after some milliseconds, unless that is cancelled
 */
export function barProgress(fd: number, later: EventLoop["after"]): Progress {
  const layers = new Map<string, LayerEvent>();
  const told = new Set<string>();
  const block = new Block();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let timer: Timer | undefined;
  const draw = (): void => {
    timer?.cancel();
    timer = undefined;
    const window = getWindowSize(fd);
    const room = window === undefined || window.columns === 0 ? USUAL : window;
    const over = [...layers.values()].filter((layer) => isOver(layer) && !told.has(layer.digest));
    for (const { digest } of over) told.add(digest);
    const rest = [...layers.values()].filter((layer) => !isOver(layer));
    const lines = (some: readonly LayerEvent[]) => some.map((layer) => layerLine(layer, room.columns));
    writeAll(fd, block.draw(lines(over), lines(rest), room));
    drawnMs = monotonicMs();
  };
  return {
    tell: (event) => {
      if (event.kind === "layers") {
        for (const digest of event.digests) {
          layers.set(digest, { kind: "layer", digest, state: "waiting", doneBytes: 0, sizeBytes: 0 });
        }
      } else layers.set(event.digest, event);
      const waitMs = drawnMs + DRAW_EVERY_MS - monotonicMs();
      if (waitMs <= 0) draw();
      else timer ??= later(waitMs, draw);
    },
    end: () => {
      if (layers.size > 0) draw();
    },
  };
}

export const NO_PROGRESS: Progress = { tell: () => undefined, end: () => undefined };
