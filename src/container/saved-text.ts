/**
 * `options.json`: what a container was asked for, so that it can be made again (container/again.ts).
 */
import type { Defaults, RunOptions } from "./options.ts";

export interface Saved {
  readonly options: RunOptions;
  readonly defaults: Defaults;
  /** Whether it has a terminal, and whether standard input is passed on to it: as it was found out at first. */
  readonly terminal: boolean;
  readonly interactive: boolean;
}

export const savedText = (saved: Saved): string => JSON.stringify({ version: 1, ...saved });
