/**
 * Kills a command at its system calls, one after another, and looks at what is left after one next command
 * (test/tools/killsweep.c does the killing).
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Engine, MYCONTAINER, start } from "./harness.ts";
import { kernelTables, leaksSince, type Roots, type Tables } from "./kernel-tables.ts";

const SOURCE = fileURLToPath(new URL("../tools/killsweep.c", import.meta.url));
const COMMAND_TIMEOUT_SECONDS = 20;
const CALL_TIMEOUT_MS = 60_000;

/** What killsweep reports; see there. */
export type Report = {
  acted: boolean;
  process: number;
  call: number;
  phase: "entry" | "exit";
  running: number;
  processes: { name: string; calls: number }[];
  exit: number;
  signal: number;
  timeout: boolean;
};

/** Whose command is killed: an engine, or the OCI face. */
export type Swept = Roots &
  Pick<Engine, "directory" | "env" | "call"> & {
    /** What the arguments of a command follow; the engine if there is none. */
    program?: string[];
    /** What has been left behind since; all that is new, if there is none. */
    leaks?: (before: Tables) => Promise<string[]>;
    /** Removes all containers by force; by the engine, if there is none. */
    clean?: () => Promise<void>;
  };

export type Sweep = {
  /** Commands before each point, which have to succeed. */
  before?: string[][];
  /** The arguments of the command that is killed. */
  command: string[];
  /** Whose calls are counted: those of all processes, or of the N-th that was born (1 is the command itself). */
  process: "all" | number;
  at: "entry" | "exit";
  /** What happens at the point: all processes are killed, only the one whose call it is, or the call fails with an errno. */
  act: { kill: "all" | "one" } | { inject: number };
  /** An exit status that the command must not have: its program saw that it was not confined. */
  exitNever?: number;
  /** The exit statuses that it may have where a call has failed; any, if not given. */
  exitsOnly?: number[];
  /** At most so many points, evenly spread; undefined for every one. */
  pointsMost?: number;
  /** Commands after which nothing may be left, and which have to succeed. */
  next: string[][];
  /** Those of them after which there is a container. */
  leaving?: string[][];
};

export type Finding = { point: number; report: Report; problems: string[] };
export type Result = { points: number; total: number; findings: Finding[] };

/** Compiles the tool into a directory; its path. */
export function compileKillsweep(directory: string): string {
  const program = join(directory, "killsweep");
  execFileSync("gcc", ["-std=gnu11", "-O2", "-Wall", "-o", program, SOURCE], { stdio: "inherit" });
  return program;
}

/** 1 to `total`, or at most `most` of them, evenly spread, with the first and the last. */
export function pointsOf(total: number, most: number | undefined): number[] {
  if (most === undefined || total <= most) return Array.from({ length: total }, (_, index) => index + 1);
  return Array.from({ length: most }, (_, index) => 1 + Math.floor((index * (total - 1)) / (most - 1)));
}

async function trace(engine: Swept, program: string, sweep: Sweep, nth: number): Promise<Report> {
  const out = join(engine.directory, "killsweep.json");
  const action = "inject" in sweep.act ? ["--inject", String(sweep.act.inject)] : ["--kill", sweep.act.kill];
  const options = ["--nth", nth, "--process", sweep.process, "--at", sweep.at, "--timeout", COMMAND_TIMEOUT_SECONDS];
  const command = [
    program,
    ...options.map(String),
    ...action,
    "--leave",
    "--out",
    out,
    "--",
    ...(engine.program ?? [MYCONTAINER]),
    ...sweep.command,
  ];
  const { status, stderr } = await start(engine.directory, command, { env: engine.env, timeoutMs: CALL_TIMEOUT_MS })
    .ended;
  if (status !== 0) throw new Error(`killsweep ended with ${status}: ${stderr}`);
  return JSON.parse(readFileSync(out, "utf8")) as Report;
}

/**
 * Calls whose failure cannot be had by not making them: close(2), which frees the descriptor whatever it returns, and brk(2) and
 * futex(2) of the C library, and arch_prctl(2), without which musl does not start. Numbers of x86_64.
 */
const NEVER_FAIL: readonly number[] = [3, 12, 158, 202];

/** What is wrong with the end of the command itself. */
function problemsOf(sweep: Sweep, report: Report): string[] {
  if ("inject" in sweep.act && NEVER_FAIL.includes(report.call)) return [];
  const problems = report.timeout ? [`hung for ${COMMAND_TIMEOUT_SECONDS} s`] : [];
  if (sweep.exitNever !== undefined && report.exit === sweep.exitNever)
    problems.push("ran with less than was asked for");
  if ("inject" in sweep.act && sweep.exitsOnly?.includes(report.exit) === false)
    problems.push(`ended with ${report.exit}`);
  if ("inject" in sweep.act && report.signal !== 0) problems.push(`ended by signal ${report.signal}`);
  return problems;
}

/**
 * Goes through the points. Something left behind, or a next command that fails, is a finding; then the containers are removed by
 * force and the sweep goes on from what is there.
 */
export async function runSweep(engine: Swept, sweep: Sweep): Promise<Result> {
  const program = compileKillsweep(engine.directory);
  const prepare = async (): Promise<void> => {
    for (const command of sweep.before ?? []) {
      const { status, stderr } = await engine.call(command);
      if (status !== 0) throw new Error(`${command.join(" ")}: ${status}: ${stderr}`);
    }
  };
  const leaks = engine.leaks ?? ((before: Tables) => leaksSince(before, engine));
  const clean = engine.clean ?? (() => removeAll(engine));
  let before = kernelTables(engine);
  await prepare();
  const counted = await trace(engine, program, sweep, 0);
  await clean();
  const total =
    sweep.process === "all"
      ? counted.processes.reduce((sum, { calls }) => sum + calls, 0)
      : (counted.processes[sweep.process - 1]?.calls ?? 0);
  const findings: Finding[] = [];
  let points = 0;
  for (const point of pointsOf(total, sweep.pointsMost)) {
    await prepare();
    const report = await trace(engine, program, sweep, point);
    if (report.acted) points++;
    const problems = problemsOf(sweep, report);
    for (const command of sweep.next) {
      const { status, stderr } = await engine.call(command);
      if (status !== 0) problems.push(`${command.join(" ")}: ${status}: ${stderr.trim()}`);
      if (sweep.leaving?.includes(command) === true) continue;
      problems.push(...(await leaks(before)).map((leak) => `after ${command[0]}: ${leak}`));
    }
    if (problems.length === 0) continue;
    findings.push({ point, report, problems });
    await clean();
    before = kernelTables(engine);
  }
  return { points, total, findings };
}

async function removeAll(engine: Swept): Promise<void> {
  const { stdout } = await engine.call(["ps", "-aq"]);
  for (const id of stdout.split("\n").filter(Boolean)) await engine.call(["rm", "-f", id]);
}

/** A finding in a line or two. */
export function describe({ point, report, problems }: Finding): string {
  const name = report.processes[report.process - 1]?.name ?? "?";
  const where = `point ${point}, ${report.phase} of system call ${report.call} of process ${report.process} (${name})`;
  return `${where}\n    ${problems.join("\n    ")}`;
}
