/**
 * What tests do with containers again and again.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { Engine, Outcome } from "./harness.ts";

/** Runs a shell script in a container of its own, without network. */
export function runScript(engine: Engine, script: string, flags: string[] = []): Promise<Outcome> {
  return engine.call(["run", "-q", "--network", "none", ...flags, "busybox", "sh", "-c", script]);
}

/** What a shell script prints in a container of its own. Fails the test if the script does. */
export async function outputOf(engine: Engine, script: string, flags: string[] = []): Promise<string> {
  const { status, stdout, stderr } = await runScript(engine, script, flags);
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Starts a container in the background; its id. */
export async function startDetached(engine: Engine, flags: string[], command = ["sleep", "1000"]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(["run", "-d", ...flags, "busybox", ...command]);
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

/** What a command prints in a running container. Fails the test if the command does. */
export async function execOutput(engine: Engine, id: string, ...command: string[]): Promise<string> {
  const { status, stdout, stderr } = await engine.call(["exec", id, ...command]);
  assert.equal(status, 0, stderr);
  return stdout;
}

export async function removeAll(engine: Engine, ...ids: string[]): Promise<void> {
  const { status, stderr } = await engine.call(["rm", "-f", ...ids]);
  assert.equal(status, 0, stderr);
}

/** The state of a container, as `inspect` tells it. */
export async function inspect(
  engine: Engine,
  id: string,
): Promise<{ init: { pid: number }; cgroupPath: string; status: string }> {
  const { status, stdout, stderr } = await engine.call(["inspect", id]);
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout)[0];
}

/** The pid of a container's first process, on the host. */
export async function initPid(engine: Engine, id: string): Promise<number> {
  return (await inspect(engine, id)).init.pid;
}

/** A line of /proc/PID/status, or of its text: the value of a field. */
export function statusField(source: number | string, name: string): string {
  const text = typeof source === "number" ? readFileSync(`/proc/${source}/status`, "utf8") : source;
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
}
