/**
 * Real engines with mycontainer-runtime under them. Each has its state, its sockets and its part of the cgroups for itself, runs
 * in a mount namespace with a /run of its own, and is ended by its pid.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import {
  MYCONTAINER_RUNTIME,
  type Options,
  type Outcome,
  type Running,
  start,
  startOnTerminal,
} from "../e2e/harness.ts";

const BUSYBOX = fileURLToPath(new URL("../../dist/busybox.tar", import.meta.url));
/** The runtime under test; another one's path shows whether a test is right. */
export const RUNTIME = process.env["MYCONTAINER_TEST_RUNTIME"] ?? MYCONTAINER_RUNTIME;
/** The engines' images have this name. */
export const IMAGE = "localhost/busybox:latest";
const ENGINE_TIMEOUT_MS = 60_000;

/** A directory of a test file's own; gone at its end. */
export function workDirectory(engine: string): string {
  const directory = mkdtempSync(join(tmpdir(), `mycontainer-${engine}-`));
  // The very last: engines write until they end.
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The built-in busybox as an archive that `docker save` could have written; every engine loads those. */
export function imageArchive(directory: string, name = IMAGE, command = ["sh"]): string {
  const place = mkdtempSync(join(directory, "image-"));
  const layer = readFileSync(BUSYBOX);
  const config = JSON.stringify({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: command },
    rootfs: { type: "layers", diff_ids: [`sha256:${createHash("sha256").update(layer).digest("hex")}`] },
  });
  const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
  writeFileSync(join(place, "layer.tar"), layer);
  writeFileSync(join(place, configName), config);
  writeFileSync(
    join(place, "manifest.json"),
    JSON.stringify([{ Config: configName, RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  const archive = join(place, "archive.tar");
  execFileSync("tar", ["-C", place, "-cf", archive, "manifest.json", configName, "layer.tar"]);
  return archive;
}

/** Runs a command to its end. */
export function run(directory: string, command: string[], options: Options = {}): Promise<Outcome> {
  return start(directory, command, { timeoutMs: ENGINE_TIMEOUT_MS, ...options }).ended;
}

/** As `run`; fails the test if the command does. Returns its output, trimmed. */
export async function succeed(directory: string, command: string[], options: Options = {}): Promise<string> {
  const { status, stdout, stderr } = await run(directory, command, options);
  assert.equal(status, 0, `${command.join(" ")}: ${stderr}${stdout}`);
  return stdout.trim();
}

/** Starts an engine's daemon in a mount namespace with an empty /run; it is ended with the test file. */
export function startDaemon(directory: string, command: string[]): Running {
  const daemon = start(
    directory,
    ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh", ...command],
    { timeoutMs: 10 * ENGINE_TIMEOUT_MS },
  );
  after(async () => {
    daemon.signal("SIGTERM");
    await daemon.ended;
  });
  return daemon;
}

/** Runs a command on a terminal of its own. */
export function onTerminal(directory: string, command: string[]): Promise<Outcome> {
  return startOnTerminal(directory, command, { timeoutMs: ENGINE_TIMEOUT_MS }).ended;
}

const CGROUP_ROOT = "/sys/fs/cgroup";
const CGROUP_DEPTH_MOST = 5;

/** Cgroups of all hierarchies whose name contains a text: an engine's id of a container. */
export function cgroupsNamed(text: string): string[] {
  const found: string[] = [];
  const walk = (path: string, depth: number): void => {
    if (depth > CGROUP_DEPTH_MOST || !existsSync(path)) return;
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const below = join(path, entry.name);
      if (entry.name.includes(text)) found.push(below);
      else walk(below, depth + 1);
    }
  };
  walk(CGROUP_ROOT, 0);
  return found;
}

/** A parent for an engine's cgroups, which engines leave: removed at the end of the test file, as far as it is empty. */
export function cgroupParent(name: string): string {
  process.once("exit", () => {
    const paths = ["", ...readdirSync(CGROUP_ROOT)]
      .map((hierarchy) => join(CGROUP_ROOT, hierarchy, name))
      .filter(existsSync);
    // Of a hierarchy that is not mounted, podman makes plain files and directories.
    if (paths.length > 0) spawnSync("find", [...paths, "-depth", "-delete"], { stdio: "ignore" });
  });
  return `/${name}`;
}

/** What a file of a container's cgroup says, whichever version of cgroups has it. */
export function cgroupValue(id: string, v1File: string, v2File: string): string {
  const cgroups = cgroupsNamed(id);
  const file = cgroups.flatMap((path) => [join(path, v1File), join(path, v2File)]).find(existsSync);
  assert.ok(file !== undefined, `no ${v1File} or ${v2File} in ${cgroups.join(" ")}`);
  return readFileSync(file, "utf8").trim();
}
