/**
 * The progress of a push, as docker tells it: a line for each change of a layer, or a block that is drawn anew on a terminal.
 */
import type { PushEvent } from "../image/push.ts";
import { hexOf } from "../image/reference.ts";
import { writeAll } from "../linux/io.ts";
import { getWindowSize, isTerminal } from "../linux/tty.ts";
import { Block } from "../term/bars.ts";
import { formatSize } from "../term/format.ts";

const DIGITS = 12;
const USUAL = { rows: 24, columns: 80 } as const;

type LayerEvent = Extract<PushEvent, { kind: "layer" }>;

/** What is told of a layer. Pure. */
export function layerLine(event: LayerEvent): string {
  const name = hexOf(event.digest).slice(0, DIGITS);
  switch (event.state) {
    case "pushing":
      return `${name}: Pushing ${formatSize(event.sizeBytes, 1000)}`;
    case "there":
      return `${name}: Layer already exists`;
    case "mounted":
      return `${name}: Mounted from ${event.from}`;
    default:
      return `${name}: Pushed`;
  }
}

const isOver = ({ state }: LayerEvent): boolean => state !== "pushing";

export interface PushProgress {
  readonly tell: (event: PushEvent) => void;
}

/** Lines where there is no terminal: of what is over. */
export function pushProgress(fd: number | undefined): PushProgress {
  if (fd === undefined) return { tell: () => undefined };
  if (!isTerminal(fd)) {
    return {
      tell: (event) => {
        if (event.kind === "layer" && isOver(event)) writeAll(fd, `${layerLine(event)}\n`);
      },
    };
  }
  const layers = new Map<string, LayerEvent | undefined>();
  const told = new Set<string>();
  const block = new Block();
  return {
    tell: (event) => {
      if (event.kind === "layers") for (const digest of event.digests) layers.set(digest, undefined);
      else layers.set(event.digest, event);
      const window = getWindowSize(fd);
      const room = window === undefined || window.columns === 0 ? USUAL : window;
      const over: string[] = [];
      const rest: string[] = [];
      for (const [digest, layer] of layers) {
        if (layer === undefined) rest.push(`${hexOf(digest).slice(0, DIGITS)}: Preparing`);
        else if (!isOver(layer)) rest.push(layerLine(layer));
        else if (!told.has(digest)) {
          over.push(layerLine(layer));
          told.add(digest);
        }
      }
      writeAll(fd, block.draw(over, rest, room));
    },
  };
}
