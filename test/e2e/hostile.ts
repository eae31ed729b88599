/**
 * Root directories as an attacker would make them, and the runtimes of others for comparison: what is refused here must be
 * shown to work where nothing stands against it.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Engine, Running } from "./harness.ts";
import { type Outcome, start } from "./harness.ts";

const SOURCE = fileURLToPath(new URL("../tools/attacker.c", import.meta.url));
const APPLETS = [
  "cat",
  "chmod",
  "echo",
  "grep",
  "id",
  "ln",
  "ls",
  "mkdir",
  "mknod",
  "mount",
  "ps",
  "readlink",
  "sh",
  "sleep",
  "stat",
  "true",
  "wc",
];

/** A new root directory with busybox in it. It lies in the engine's directory and goes with it. */
export function makeRoot(engine: Engine): string {
  const root = mkdtempSync(join(engine.directory, "hostile-"));
  chmodSync(root, 0o755); // of use for others than root, too
  mkdirSync(join(root, "bin"));
  copyFileSync(
    execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim(),
    join(root, "bin/busybox"),
  );
  for (const applet of APPLETS) symlinkSync("busybox", join(root, "bin", applet));
  return root;
}

/** Compiles test/tools/attacker.c into a root; its path in there. */
export function addAttacker(engine: Engine, root: string): string {
  const program = compileAttacker(engine);
  copyFileSync(program, join(root, "attacker"));
  return "/attacker";
}

/** Compiles test/tools/attacker.c; its path on the host. */
export function compileAttacker(engine: Pick<Engine, "directory">): string {
  const program = join(engine.directory, "attacker");
  if (!existsSync(program))
    execFileSync("gcc", ["-std=gnu11", "-O2", "-Wall", "-static", "-o", program, SOURCE], { stdio: "inherit" });
  return program;
}

/** What the attacker said at its end: `seen`, `opened`, `turns`. */
export function countsOf(stdout: string): Record<string, number> {
  return Object.fromEntries([...stdout.matchAll(/(\w+)=(\d+)/g)].map(([, name = "", count]) => [name, Number(count)]));
}

/** Asks a container's attacker to end; what it found. */
export async function endAttacker(engine: Engine, id: string, attacker: Running): Promise<Record<string, number>> {
  await engine.call(["stop", "-t", "5", id]);
  return countsOf((await attacker.ended).stdout);
}

/** crun 1.8 refuses a machine with both versions of cgroups, if the second has controllers: it is hidden from the peers. */
const WITHOUT_V2 = "umount -l /sys/fs/cgroup/unified 2>/dev/null";

type Json = Record<string, unknown>;

/** Runs a root with another runtime, by a configuration that is the least it takes. Its state goes with the engine's directory. */
export async function runWith(
  runtime: "runc" | "crun",
  engine: Engine,
  root: string,
  change: { args: string[]; mounts?: Json[]; process?: Json; linux?: Json },
): Promise<Outcome> {
  const bundle = mkdtempSync(join(engine.directory, "bundle-"));
  const namespaces = ["pid", "mount", "network", "uts", "ipc"].map((type) => ({ type }));
  const capabilities = ["CAP_MKNOD", "CAP_DAC_OVERRIDE"];
  const config = {
    ociVersion: "1.0.2",
    process: {
      user: { uid: 0, gid: 0 },
      args: change.args,
      env: ["PATH=/bin"],
      cwd: "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      ...change.process,
    },
    root: { path: root },
    hostname: "peer",
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }, ...(change.mounts ?? [])],
    linux: { namespaces, ...change.linux },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  const id = `mycontainer-peer-${process.pid}`;
  const state = join(engine.directory, `${runtime}-state`);
  try {
    const line = `${WITHOUT_V2}; exec ${runtime} --root ${state} run --bundle ${bundle} ${id}`;
    return await start(engine.directory, ["unshare", "--mount", "sh", "-c", line]).ended;
  } finally {
    spawnSync(runtime, ["--root", state, "delete", "--force", id], { stdio: "ignore" });
  }
}
