// `table.ts DIRECTORY`: the measurements of tools/bench as a Markdown table. For each row there is a folder with row.json,
// `skipped`, and hyperfine's round-N.json.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One command in one round, as hyperfine exports it. Times are in seconds. */
export type Measured = { command: string; times: number[]; exit_codes: (number | null)[] };
export type Row = {
  title: string;
  targets: { peer: string; factor: number }[];
  rounds: Measured[][];
  skipped: string[];
};
/** Of all rounds together, in milliseconds. */
export type Figure = { name: string; meanMs: number; deviationMs: number };

/** "crun 0.7, busybox true 3" */
export function parseTargets(text: string): Row["targets"] {
  return text
    .split(", ")
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.lastIndexOf(" ");
      return { peer: part.slice(0, at), factor: Number(part.slice(at + 1)) };
    });
}

/** Throws if a command ever failed: what fails is fast. */
export function figuresOf(rounds: Measured[][]): Figure[] {
  const names = [...new Set(rounds.flatMap((round) => round.map(({ command }) => command)))];
  return names.map((name) => {
    const all = rounds.flatMap((round) => round.filter(({ command }) => command === name));
    const failed = all.flatMap(({ exit_codes }) => exit_codes).find((code) => code !== 0);
    if (failed !== undefined) throw new Error(`${name} ended with ${failed}`);
    const times = all.flatMap(({ times }) => times.map((seconds) => seconds * 1000));
    const meanMs = times.reduce((sum, ms) => sum + ms, 0) / times.length;
    const variance = times.reduce((sum, ms) => sum + (ms - meanMs) ** 2, 0) / Math.max(times.length - 1, 1);
    return { name, meanMs, deviationMs: Math.sqrt(variance) };
  });
}

const milliseconds = (ms: number) => (ms < 10 ? ms.toFixed(2) : ms.toFixed(1));

/** The lines of one row: the first figure is ours. */
export function linesOf(row: Row): string[] {
  const figures = figuresOf(row.rounds);
  const [ours] = figures;
  const isOurs = ours?.name === "mycontainer";
  const lines = figures.map(({ name, meanMs, deviationMs }, index) => {
    const title = index === 0 ? row.title : "";
    const target = row.targets.find(({ peer }) => peer === name);
    const ratio = isOurs && index > 0 && ours !== undefined ? ours.meanMs / meanMs : undefined;
    const verdict =
      target === undefined || ratio === undefined
        ? ""
        : `≤ ${target.factor} × ${ratio <= target.factor ? "reached" : "missed"}`;
    const cells = [title, name, `${milliseconds(meanMs)} ± ${milliseconds(deviationMs)}`];
    return `| ${[...cells, ratio === undefined ? "" : `${ratio.toFixed(2)} ×`, verdict].join(" | ")} |`;
  });
  return [
    ...lines,
    ...row.skipped.map((reason) => `| ${lines.length === 0 ? row.title : ""} | skipped: ${reason} | | | |`),
  ];
}

function readRow(directory: string): Row {
  const { title, targets } = JSON.parse(readFileSync(join(directory, "row.json"), "utf8")) as Record<
    "title" | "targets",
    string
  >;
  const rounds = readdirSync(directory)
    .filter((name) => name.startsWith("round-"))
    .map((name) => (JSON.parse(readFileSync(join(directory, name), "utf8")) as { results: Measured[] }).results);
  const skipped = readFileSync(join(directory, "skipped"), "utf8").split("\n").filter(Boolean);
  return { title, targets: parseTargets(targets), rounds, skipped };
}

function main(): void {
  const directory = process.argv[2] ?? ".";
  const rows = readdirSync(directory)
    .sort()
    .map((name) => readRow(join(directory, name)));
  if (rows.length === 0) return;
  console.log("| what | program | ms, mean ± deviation | mycontainer takes | must reach |");
  console.log("|---|---|---|---|---|");
  for (const row of rows) console.log(linesOf(row).join("\n"));
  console.log();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
