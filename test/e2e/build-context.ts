/** Contexts for builds, and what came of them. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Engine, Options, Outcome } from "./harness.ts";

/** A new directory with these files, by their paths. */
export function contextOf(engine: Pick<Engine, "directory">, files: Record<string, string | Buffer>): string {
  const directory = mkdtempSync(join(engine.directory, "context-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

export type Built = Outcome & { id: string; context: string };

/** Builds an image; fails the test if that fails. */
export async function build(
  engine: Engine,
  files: Record<string, string | Buffer>,
  flags: string[] = [],
  options?: Options,
): Promise<Built> {
  const context = contextOf(engine, files);
  return buildIn(engine, context, flags, options);
}

export async function buildIn(
  engine: Engine,
  context: string,
  flags: string[] = [],
  options?: Options,
): Promise<Built> {
  const idFile = join(engine.directory, "id");
  const outcome = await engine.call(["build", "--progress", "plain", "--iidfile", idFile, ...flags, context], options);
  assert.equal(outcome.status, 0, outcome.stderr);
  return { ...outcome, id: readFileSync(idFile, "utf8").trim(), context };
}

/** What a program prints in a container of an image. */
export async function printed(engine: Engine, image: string, ...command: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(["run", "--rm", "-q", "--network", "none", image, ...command]);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** The instructions of a build that were carried out, and those that were known: without their numbers. */
export function stepsOf({ stderr }: Outcome): { done: string[]; cached: string[] } {
  const lines = stderr.split("\n");
  const titled = /^\[[^\]]*\] (?=[A-Z])(.*)$/;
  const found = lines.flatMap((line) => titled.exec(line)?.[1] ?? []);
  const isCached = (line: string) => line.endsWith(" (cached)");
  return {
    done: found.filter((line) => !isCached(line)),
    cached: found.filter(isCached).map((line) => line.slice(0, -" (cached)".length)),
  };
}
