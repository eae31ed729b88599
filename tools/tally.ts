// `tally.ts FILE...`: sums up TAP of node's test runner and of the virtual machine's scripts, names what failed and
// prints `N passed, N failed` last. Exit status 1 if anything failed, was cut short, or if there was no test at all.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Numbers of tests, and the names of those that failed with the suites around them. */
export type Count = { passed: number; failed: number; skipped: number; failures: string[] };

/**
 * What one TAP text says. Node's runner closes with `# tests N`, `# pass N` and so on, which count tests and not the
 * suites around them; plain TAP is counted by its lines and must have as many as its plan `1..N` promises.
 */
export function countTap(text: string): Count {
  const lines = text.split("\n");
  const failures = lines
    .filter((line) => /^ *not ok /.test(line) && !/ # SKIP/i.test(line))
    .map((line) => line.trim().replace(/^not ok \d* *-? */, ""));
  const closing = new Map<string, number>();
  for (const line of lines) {
    const summary = /^# (tests|pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line);
    if (summary?.[1] !== undefined) closing.set(summary[1], Number(summary[2]));
  }
  if (closing.has("tests")) {
    const of = (name: string) => closing.get(name) ?? 0;
    return { passed: of("pass"), failed: of("fail") + of("cancelled"), skipped: of("skipped") + of("todo"), failures };
  }
  const results = lines.filter((line) => /^(not )?ok /.test(line));
  const skipped = results.filter((line) => / # SKIP/i.test(line)).length;
  const plan = lines.map((line) => /^1\.\.(\d+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  const missing = plan === undefined ? 1 : Math.max(Number(plan) - results.length, 0);
  if (plan === undefined) failures.push("the output ends before its plan: it was cut short");
  else if (missing > 0) failures.push(`${missing} of ${plan} results are missing`);
  const failed = results.filter((line) => line.startsWith("not ok ")).length;
  return { passed: results.length - failed - skipped, failed: failed + missing, skipped, failures };
}

/** Adds up what countTap returned, to lines to print and an exit status. */
export function sumUp(counts: Count[]): { lines: string[]; status: number } {
  const sum = (name: "passed" | "failed" | "skipped") => counts.reduce((total, one) => total + one[name], 0);
  const [passed, failed, skipped] = [sum("passed"), sum("failed"), sum("skipped")];
  const lines = counts.flatMap((one) => one.failures.map((failure) => `failed: ${failure}`));
  if (skipped > 0) lines.push(`${skipped} skipped`);
  if (passed + failed === 0) lines.push("no test was run");
  lines.push(`${passed} passed, ${failed} failed`);
  return { lines, status: failed === 0 && passed > 0 ? 0 : 1 };
}

function main(): void {
  const { lines, status } = sumUp(process.argv.slice(2).map((file) => countTap(readFileSync(file, "utf8"))));
  console.log(lines.join("\n"));
  process.exitCode = status;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
