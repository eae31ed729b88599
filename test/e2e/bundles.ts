/**
 * Bundles for the OCI face, and the runtime with a state directory of its own. One root directory serves all bundles of a file.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MYCONTAINER_RUNTIME, type Options, type Outcome, type Running, start } from "./harness.ts";
import { assertNoLeaks, kernelTables, type Roots } from "./kernel-tables.ts";

const BUSYBOX = fileURLToPath(new URL("../../dist/busybox.tar", import.meta.url));
const CGROUP_ROOT = "/sys/fs/cgroup";
const CGROUP_PARENT = `mycontainer-oci-tests-${process.pid}-${Date.now().toString(36)}`;

export type Json = Record<string, unknown>;

/** What a bundle's configuration has otherwise than the plain one. */
export interface Change {
  /** What the shell of the container runs; `process.args` for other programs. */
  script?: string;
  process?: Json;
  linux?: Json;
  /** Instead of /proc and a few of /dev. */
  mounts?: Json[];
  /** Beside the plain mounts. */
  moreMounts?: Json[];
  /** Whatever else config.json holds. */
  top?: Json;
}

/** The runtime with a state directory of its own. */
export interface Runtime {
  readonly directory: string;
  readonly roots: Roots;
  readonly rootfs: string;
  /** Makes a bundle. Its path. */
  bundle(change?: Change): string;
  /** Runs a command to its end. */
  call(args: string[], options?: Options): Promise<Outcome>;
  /** Runs a command from a shell, whose script ends with `exec "$@"`. */
  throughShell(script: string, args: string[]): Promise<Outcome>;
  start(args: string[], options?: Options & { interactive?: boolean }): Running;
  /** As `call`, and the command must end with 0. What it prints. */
  must(args: string[], options?: Options): Promise<string>;
  /** Runs a bundle to its end. */
  run(change: Change, options?: Options): Promise<Outcome>;
  /** Makes a container that runs on, with a name that nobody has; its id. */
  detached(change?: Change): Promise<string>;
  state(id: string): Promise<Json & { pid: number; status: string }>;
  remove(id: string): Promise<void>;
  newId(): string;
}

const CAPABILITIES = ["CAP_KILL", "CAP_CHOWN", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"];
export const NAMESPACES = ["pid", "mount", "ipc", "uts", "network"].map((type) => ({ type }));
const MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
  { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666", "mode=0620"] },
];

/** A configuration that is small and whole. */
export function configOf(rootfs: string, change: Change = {}): Json {
  return {
    ociVersion: "1.2.0",
    process: {
      user: { uid: 0, gid: 0 },
      args: change.script === undefined ? ["sleep", "1000"] : ["sh", "-c", change.script],
      env: ["PATH=/bin:/sbin:/usr/bin"],
      cwd: "/",
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      ...change.process,
    },
    root: { path: rootfs },
    mounts: [...(change.mounts ?? MOUNTS), ...(change.moreMounts ?? [])],
    linux: { namespaces: NAMESPACES, ...change.linux },
    ...change.top,
  };
}

/** Removes the cgroup that all containers of this file lie in, from every hierarchy. */
function removeCgroups(): void {
  for (const hierarchy of ["", ...readdirSync(CGROUP_ROOT)]) {
    const path = join(CGROUP_ROOT, hierarchy, CGROUP_PARENT);
    if (existsSync(path)) rmdirSync(path);
  }
}

function openRuntime(program: string, directory: string): Runtime {
  const rootfs = join(directory, "rootfs");
  const roots = { root: join(directory, "state"), run: join(directory, "run"), cgroup: CGROUP_PARENT };
  for (const path of [rootfs, roots.root, roots.run]) mkdirSync(path, { mode: 0o755, recursive: true });
  execFileSync("tar", ["-C", rootfs, "-xf", BUSYBOX]);
  // By this their processes are known: kernel-tables.ts.
  const env = { MYCONTAINER_RUN: roots.run };
  const withEnv = <T extends Options>(options: T | undefined) => ({ ...options, env: { ...env, ...options?.env } });
  let made = 0;
  const runtime: Runtime = {
    directory,
    roots,
    rootfs,
    newId: () => `oci-${++made}`,
    bundle(change) {
      const bundle = mkdtempSync(join(directory, "bundle-"));
      const id = `${CGROUP_PARENT}/${++made}`;
      const config = configOf(rootfs, { ...change, linux: { cgroupsPath: `/${id}`, ...change?.linux } });
      writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
      return bundle;
    },
    call: (args, options) => start(directory, [program, "--root", roots.root, ...args], withEnv(options)).ended,
    throughShell: (script, args) =>
      start(directory, ["sh", "-c", script, "sh", program, "--root", roots.root, ...args], withEnv({})).ended,
    start: (args, options) => start(directory, [program, "--root", roots.root, ...args], withEnv(options)),
    async must(args, options) {
      const { status, stdout, stderr } = await runtime.call(args, options);
      assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    run: (change, options) => runtime.call(["run", "--bundle", runtime.bundle(change), runtime.newId()], options),
    async detached(change) {
      const id = runtime.newId();
      await runtime.must(["run", "--detach", "--bundle", runtime.bundle(change), id]);
      return id;
    },
    state: async (id) => JSON.parse(await runtime.must(["state", id])),
    remove: async (id) => void (await runtime.must(["delete", "--force", id])),
  };
  return runtime;
}

let shared: Runtime | undefined;

/** The runtime of a test file: made by its first test, removed when the file's process ends. */
function sharedRuntime(): Runtime {
  if (shared !== undefined) return shared;
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-oci-"));
  chmodSync(directory, 0o755); // roots of user namespaces go there, too
  process.once("exit", () => {
    removeCgroups();
    rmSync(directory, { recursive: true, force: true });
  });
  shared = openRuntime(MYCONTAINER_RUNTIME, directory);
  return shared;
}

/** A test with the file's runtime which fails if it leaves anything behind. It removes the containers that it makes. */
export function oci(name: string, body: (runtime: Runtime, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    const runtime = sharedRuntime();
    const before = kernelTables(runtime.roots);
    try {
      await body(runtime, t);
    } catch (error) {
      // The next test starts from where this one did.
      for (const id of readdirSync(runtime.roots.root)) await runtime.call(["delete", "--force", id]);
      throw error;
    }
    await assertNoLeaks(before, runtime.roots);
  });
}

/** Lines of the form NAME=VALUE. */
export function valuesOf(text: string): Record<string, string> {
  const pairs = text.split("\n").map((line) => [line.split("=", 1)[0] ?? "", line.slice(line.indexOf("=") + 1)]);
  return Object.fromEntries(pairs.filter(([name]) => name !== ""));
}

/** A line of a process's status file: proc_pid_status(5). */
export function statusLine(pid: number, name: string): string | undefined {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return lines
    .find((line) => line.startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim();
}

const RECEIVER = fileURLToPath(new URL("../tools/receiver.c", import.meta.url));

/** Listens on a socket in the runtime's directory, with test/tools/receiver.c; its path, and what was received. */
export async function receiver(runtime: Runtime): Promise<{ path: string; running: Running }> {
  const program = join(runtime.directory, "receiver");
  if (!existsSync(program))
    execFileSync("gcc", ["-std=gnu11", "-O2", "-static", "-o", program, RECEIVER], { stdio: "inherit" });
  const path = join(mkdtempSync(join(runtime.directory, "socket-")), "socket");
  const running = start(runtime.directory, [program, path]);
  await running.sees("stdout", "listening\n");
  return { path, running };
}
