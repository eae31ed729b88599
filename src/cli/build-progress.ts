/**
 * A build as it goes on, as lines: what is done, what programs write, and how long it took.
 */
import type { BuildEvent, StepName, Tell } from "../build/events.ts";

const DIM = "\x1b[2m";
const BOLD = "\x1b[1m";
const RED = "\x1b[31m";
const GREEN = "\x1b[32m";
const PLAIN = "\x1b[0m";

export interface BuildStyle {
  readonly isColoured: boolean;
}

/** `850 ms`, `12.3 s`, `2m 5s`. */
export function formatTook(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)}m ${Math.floor((ms % 60_000) / 1000)}s`;
}

function titleOf({ stage, position }: StepName): string {
  return stage === undefined ? `[${position}]` : `[${stage} ${position}]`;
}

/** Instructions may be of many lines: the first tells which it is. */
function firstLine(source: string): string {
  const end = source.indexOf("\n");
  return end < 0 ? source : `${source.slice(0, end)} ...`;
}

/** Lines for an event; none for those that nobody needs to see. Pure. */
export function buildLines(event: BuildEvent, { isColoured }: BuildStyle): string[] {
  const colour = (code: string, text: string): string => (isColoured ? `${code}${text}${PLAIN}` : text);
  switch (event.kind) {
    case "started":
      return [`${colour(BOLD, titleOf(event.step))} ${firstLine(event.step.source)}`];
    case "output": {
      const title = event.step.stage === undefined ? "" : `${titleOf(event.step)} `;
      const lines = event.text.endsWith("\n") ? event.text.slice(0, -1).split("\n") : event.text.split("\n");
      return lines.map((line) => `${colour(DIM, `${title}|`)} ${lastOverwrite(line)}`);
    }
    case "ended": {
      const title = colour(BOLD, titleOf(event.step));
      // Of a step that was done before nothing else is told.
      if (event.isCached) return [`${title} ${firstLine(event.step.source)} ${colour(DIM, "(cached)")}`];
      return [`${title} ${colour(GREEN, "done")} in ${formatTook(event.tookMs)}`];
    }
    case "failed":
      return [`${colour(BOLD, titleOf(event.step))} ${colour(RED, "failed")} after ${formatTook(event.tookMs)}`];
    case "exporting":
      return [colour(BOLD, "Writing the image")];
    case "warning":
      return [`warning: ${event.text}`];
  }
}

/** Of a line that was written over with carriage returns, what stands there at the end. */
function lastOverwrite(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  return text.slice(text.lastIndexOf("\r") + 1);
}

/** What tells events as lines, by `write`. */
export function buildTeller(style: BuildStyle, write: (text: string) => void): Tell {
  return (event) => {
    const lines = buildLines(event, style);
    if (lines.length > 0) write(lines.join("\n"));
  };
}

/** Of a program that fails: what it wrote last. */
const KEPT_CHARACTERS = 64 * 1024;

/** Tells nothing but what a program that fails has written, and warnings. */
export function quietTeller(write: (text: string) => void): Tell {
  const written = new Map<number, string>();
  return (event) => {
    switch (event.kind) {
      case "output": {
        const { number } = event.step;
        written.set(number, `${written.get(number) ?? ""}${event.text}`.slice(-KEPT_CHARACTERS));
        return;
      }
      case "failed": {
        const text = written.get(event.step.number) ?? "";
        if (text !== "") write(text.endsWith("\n") ? text.slice(0, -1) : text);
        return;
      }
      case "ended":
        written.delete(event.step.number);
        return;
      case "warning":
        write(`warning: ${event.text}`);
        return;
      case "started":
      case "exporting":
        return;
    }
  };
}
