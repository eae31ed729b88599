/**
 * What `ps` prints: the host's ps(1), with only the lines of a container's processes.
 */
import { Failure } from "../failure.ts";

/** Of ps(1), where none are given. */
export const DEFAULT_PS_ARGUMENTS: readonly string[] = ["-ef"];

/**
 * The heading, and the lines of these processes (by their host pids). Pure.
 * @throws Failure if the output has no column of pids
 */
export function psTable(pids: readonly number[], psOutput: string): string {
  const [heading = "", ...lines] = psOutput.split("\n");
  const column = fieldsOf(heading).indexOf("PID");
  if (column < 0)
    throw new Failure("couldn't find PID field in ps output", {
      hint: "choose options of ps with which it prints pids",
    });
  const wanted = new Set(pids.map(String));
  const kept = lines.filter((line) => {
    if (line === "") return false;
    const pid = fieldsOf(line)[column] ?? "";
    if (!/^\d{1,10}$/.test(pid)) throw new Failure(`unable to parse pid: ps printed '${pid}' in its place`);
    return wanted.has(pid);
  });
  return [heading, ...kept].map((line) => `${line}\n`).join("");
}

function fieldsOf(line: string): string[] {
  return line.split(/[ \t]+/).filter((field) => field !== "");
}

/** For programs: an array of the pids, `null` where there are none. Pure. */
export function psJson(pids: readonly number[]): string {
  return pids.length === 0 ? "null" : JSON.stringify(pids);
}
