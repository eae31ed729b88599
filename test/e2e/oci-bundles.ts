/**
 * Bundles, and the OCI face that makes containers of them. State, bundles and output of a test file lie in one directory.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  read as readFrom,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MYCONTAINER_RUNTIME, type Options, type Outcome, type Running, start } from "./harness.ts";
import { makeRoot } from "./hostile.ts";
import { kernelTables, leaksSince, type Roots, type Tables } from "./kernel-tables.ts";

export type Json = Record<string, unknown>;

/** What a bundle asks for that differs from the least: members replace, those of process and linux one by one. */
export type Change = Json & { process?: Json; linux?: Json };

export type Runtime = Roots & {
  directory: string;
  env: Record<string, string>;
  /** `mycontainer-runtime --root ... ARGS...` to its end. */
  call(args: string[], options?: Options): Promise<Outcome>;
  start(args: string[], options?: Options & { interactive?: boolean }): Running;
  /** As `call`; fails the test if the command does. */
  must(args: string[], options?: Options): Promise<Outcome>;
};

const NAMESPACES = ["pid", "mount", "network", "uts", "ipc", "cgroup"];
const CAPABILITIES = ["CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"];
const PROC = { destination: "/proc", type: "proc", source: "proc" };
const DEV = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] };

/** The namespaces of a bundle: all but some, and others. */
export function namespaces(without: string[] = [], more: Json[] = []): Json[] {
  return [...NAMESPACES.filter((type) => !without.includes(type)).map((type) => ({ type })), ...more];
}

/** The least that the runtime and its peers take, with some capabilities; a change is put upon it. */
export function configOf(root: string, args: string[], change: Change = {}): Json {
  const { process = {}, linux = {}, ...rest } = change;
  return {
    ociVersion: "1.0.2",
    root: { path: root },
    hostname: "hostile",
    mounts: [PROC, DEV],
    ...rest,
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: ["PATH=/bin"],
      cwd: "/",
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      noNewPrivileges: true,
      ...process,
    },
    linux: { namespaces: namespaces(), ...linux },
  };
}

/** A new bundle with that config.json: text as it is, anything else as JSON. Its path. */
export function writeBundle(runtime: Pick<Runtime, "directory">, config: unknown): string {
  const bundle = mkdtempSync(join(runtime.directory, "bundle-"));
  const text = typeof config === "string" || config instanceof Uint8Array ? config : JSON.stringify(config);
  writeFileSync(join(bundle, "config.json"), text);
  return bundle;
}

/** Where the cgroups of this file's containers are: others on the machine have theirs. */
const CGROUPS = `/mycontainer-oci-${randomBytes(4).toString("hex")}`;
let bundles = 0;

/** A path for a cgroup that no other bundle has. */
export function cgroupsPathOf(name: string | number): string {
  return `${CGROUPS}/${name}`;
}

/** A new bundle with a root and a cgroup of its own. */
export function makeBundle(runtime: Runtime, args: string[], change: Change = {}, root = makeRoot(runtime)): string {
  const linux = { cgroupsPath: cgroupsPathOf(++bundles), ...change.linux };
  return writeBundle(runtime, configOf(root, args, { ...change, linux }));
}

/** Runs a shell script in a container of its own, to its end. */
export function runScript(runtime: Runtime, script: string, change: Change = {}, root?: string): Promise<Outcome> {
  return runtime.call(["run", "--bundle", makeBundle(runtime, ["/bin/sh", "-c", script], change, root), "script"]);
}

/** A container that sleeps, made and started. */
export async function startSleeper(runtime: Runtime, id: string, change: Change = {}, root?: string): Promise<void> {
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"], change, root);
  await runtime.must(["run", "--detach", "--bundle", bundle, id]);
}

export async function remove(runtime: Runtime, ...ids: string[]): Promise<void> {
  for (const id of ids) await runtime.must(["delete", "--force", id]);
}

export type State = { id: string; pid: number; status: string; bundle: string };

export async function stateOf(runtime: Runtime, id: string): Promise<State> {
  return JSON.parse((await runtime.must(["state", id])).stdout);
}

/** Makes a new, empty runtime in a new directory. */
export function openRuntime(): Runtime {
  if (!existsSync(MYCONTAINER_RUNTIME)) throw new Error(`${MYCONTAINER_RUNTIME} is not built: npm run build`);
  const directory = mkdtempSync(join(tmpdir(), "mycontainer-oci-"));
  const [root, run] = [join(directory, "state"), join(directory, "run")];
  for (const path of [root, run]) mkdirSync(path, { mode: 0o700 });
  // By this, processes of the runtime under test are known in /proc.
  const env = { MYCONTAINER_RUN: run };
  const begin = (args: string[], options: Options & { interactive?: boolean } = {}) =>
    start(directory, [MYCONTAINER_RUNTIME, "--root", root, ...args], { ...options, env: { ...env, ...options.env } });
  const runtime: Runtime = {
    directory,
    root,
    run,
    env,
    start: begin,
    call: (args, options) => begin(args, options).ended,
    must: async (args, options) => {
      const outcome = await begin(args, options).ended;
      assert.equal(outcome.status, 0, `${args.join(" ")}: ${outcome.stderr}`);
      return outcome;
    },
  };
  return runtime;
}

let shared: Runtime | undefined;

/** The runtime of a test file: made by its first test, removed when the file's process ends. */
export function sharedRuntime(): Runtime {
  if (shared !== undefined) return shared;
  const runtime = openRuntime();
  shared = runtime;
  process.once("exit", () => {
    rmSync(runtime.directory, { recursive: true, force: true });
    // Above the containers' cgroups, one a hierarchy.
    const named = ["/sys/fs/cgroup", "-maxdepth", "6", "-type", "d", "-name", CGROUPS.slice(1)];
    spawnSync("find", [...named, "-prune", "-exec", "rmdir", "{}", ";"], { stdio: "ignore" });
  });
  return runtime;
}

/** Removes all containers by force, so that the next test does not start from what this one left. */
export async function removeAll(runtime: Runtime): Promise<void> {
  const { stdout } = await runtime.call(["list", "--quiet"]);
  for (const id of stdout.split("\n").filter(Boolean)) await runtime.call(["delete", "--force", id]);
}

/** What has been left behind since. */
export function leaksOf(runtime: Runtime, before: Tables): Promise<string[]> {
  return leaksSince(before, runtime, (leak) => !leak.startsWith("cgroups: ") || leak.includes(`${CGROUPS}/`));
}

/** A test with the file's runtime, which fails if anything is left behind. It removes the containers that it wants to end. */
export function oci(name: string, body: (runtime: Runtime, t: TestContext) => Promise<void>): void {
  test(name, async (t) => {
    const runtime = sharedRuntime();
    const before = kernelTables(runtime);
    try {
      await body(runtime, t);
    } catch (error) {
      await removeAll(runtime);
      throw error;
    }
    assert.deepEqual(await leaksOf(runtime, before), [], "something was left behind");
  });
}

/** crun 1.8 refuses a machine with both versions of cgroups, if the second has controllers: it is hidden from the peers. */
const WITHOUT_V2 = "umount -l /sys/fs/cgroup/unified 2>/dev/null";
const PEER_ID = `mycontainer-peer-${process.pid}`;

/** Runs a bundle with another runtime, for comparison: `commands` are shell lines in which $RUNTIME and $ID stand for what they say. */
export async function withPeer(
  peer: "runc" | "crun",
  runtime: Runtime,
  bundle: string,
  script = '$RUNTIME run --bundle "$BUNDLE" $ID',
): Promise<Outcome> {
  const state = join(runtime.directory, `${peer}-state`);
  const env = { RUNTIME: `${peer} --root ${state}`, ID: PEER_ID, BUNDLE: bundle };
  try {
    const command = ["unshare", "--mount", "sh", "-c", `${WITHOUT_V2}; ${script}`];
    return await start(runtime.directory, command, { env }).ended;
  } finally {
    spawnSync(peer, ["--root", state, "delete", "--force", PEER_ID], { stdio: "ignore" });
  }
}

/** A line of a status file of /proc: the value of a field. */
export function statusOf(pid: number, name: string): string {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1] ?? "";
}

/** A named pipe, by which a program of a test (a hook) is met. Both ends are open, so that neither waits for the other. */
export type Pipe = { path: string; read(): Promise<string>; write(): void; close(): void };

export function openPipe(runtime: Runtime): Pipe {
  const path = join(mkdtempSync(join(runtime.directory, "pipe-")), "pipe");
  execFileSync("mkfifo", [path]);
  const fd = openSync(path, constants.O_RDWR);
  const buffer = Buffer.alloc(4096);
  return {
    path,
    read: () =>
      new Promise((resolve, reject) => {
        readFrom(fd, buffer, 0, buffer.length, null, (error, length) => {
          if (error === null) resolve(buffer.toString("utf8", 0, length));
          else reject(error);
        });
      }),
    write: () => void writeSync(fd, "go\n"),
    close: () => closeSync(fd),
  };
}
