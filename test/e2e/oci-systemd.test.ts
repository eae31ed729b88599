/**
 * The systemd cgroup driver against a real systemd: a user manager of the test's own, which stands where the system's would be,
 * in a mount namespace of its own.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MYCONTAINER_RUNTIME, type Outcome, type Running, start } from "./harness.ts";

const BUSYBOX = fileURLToPath(new URL("../../dist/busybox.tar", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "mycontainer-systemd-"));
const bundle = join(directory, "bundle");
const SLICE = "mycontainer-test.slice";
const CGROUP = "/mycontainer.slice/mycontainer-test.slice";
let manager: Running | undefined;

const MANAGER_SCRIPT = `
  mount -t tmpfs none /run && mkdir -p /run/systemd/system "$XDG_RUNTIME_DIR" &&
  ln -s "$XDG_RUNTIME_DIR/systemd/private" /run/systemd/private &&
  exec /lib/systemd/systemd --user --log-target=console --log-level=info`;

/** Of the machine's first PID namespace: include/uapi/linux/nsfs.h, PID_NS_INIT_INO. */
const INITIAL_PID_NAMESPACE = "pid:[4026531836]";

/** A manager takes every process that it sees in the topmost cgroup for its own, and moves it: the machine's, if it sees them. */
function refuseToManageTheMachine(): void {
  assert.notEqual(
    readlinkSync("/proc/self/ns/pid"),
    INITIAL_PID_NAMESPACE,
    "this starts a systemd, which would move all of the machine's processes: run it by 'tools/test e2e'",
  );
}

/** When a file is in a directory. */
function appears(place: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = watch(place, () => check());
    const check = () => {
      if (!existsSync(join(place, name))) return;
      watcher.close();
      resolve();
    };
    check();
  });
}

function inside(...command: string[]): Promise<Outcome> {
  assert.ok(manager !== undefined);
  const pid = String(manager.pid);
  return start(directory, ["nsenter", "--mount", "--target", pid, "--", ...command], {
    cwd: bundle,
    env: { XDG_RUNTIME_DIR: join(directory, "run") },
  }).ended;
}

const runtime = (...args: string[]) =>
  inside(MYCONTAINER_RUNTIME, "--root", join(directory, "state"), "--systemd-cgroup", ...args);

async function shown(unit: string): Promise<Record<string, string>> {
  const { stdout } = await inside("systemctl", "--user", "show", unit);
  return Object.fromEntries(
    stdout.split("\n").map((line) => [line.split("=", 1)[0] ?? "", line.slice(line.indexOf("=") + 1)]),
  );
}

function writeConfig(linux: object, annotations: Record<string, string> = {}): void {
  writeFileSync(
    join(bundle, "config.json"),
    JSON.stringify({
      ociVersion: "1.2.0",
      annotations,
      process: { user: { uid: 0, gid: 0 }, args: ["sleep", "1000"], env: ["PATH=/bin:/usr/bin"], cwd: "/" },
      root: { path: "rootfs" },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] },
      ],
      linux: { namespaces: [{ type: "pid" }, { type: "mount" }, { type: "ipc" }, { type: "uts" }], ...linux },
    }),
  );
}

/** What the manager, and the runtime in hierarchies that the manager does not have, make and leave: the lowest first. */
function ownCgroups(): string[] {
  return [CGROUP, "/mycontainer.slice", "/init.scope", "/app.slice"].flatMap((name) =>
    ["", ...readdirSync("/sys/fs/cgroup")]
      .map((hierarchy) => join("/sys/fs/cgroup", hierarchy, name))
      .filter(existsSync),
  );
}

/** Another systemd's stay. */
const there = new Set(ownCgroups());

describe("--systemd-cgroup", { concurrency: false }, () => {
  before(async () => {
    refuseToManageTheMachine();
    mkdirSync(join(bundle, "rootfs"), { recursive: true });
    mkdirSync(join(directory, "run/systemd"), { mode: 0o700, recursive: true });
    execFileSync("tar", ["-C", join(bundle, "rootfs"), "-xf", BUSYBOX]);
    manager = start(directory, ["unshare", "--mount", "sh", "-c", MANAGER_SCRIPT], {
      env: { XDG_RUNTIME_DIR: join(directory, "run") },
      timeoutMs: 120_000,
    });
    await appears(join(directory, "run/systemd"), "private");
    await inside("systemctl", "--user", "is-system-running", "--wait");
  });
  after(async () => {
    if (manager === undefined) return;
    await runtime("delete", "--force", "one");
    manager.signal("SIGTERM");
    await manager.ended;
    for (const path of ownCgroups()) if (!there.has(path)) rmdirSync(path);
    rmSync(directory, { recursive: true, force: true });
  });

  test("a container's cgroup is a scope of systemd's, with its limits, and goes with it", async () => {
    writeConfig(
      {
        cgroupsPath: `${SLICE}:mycontainer:one`,
        resources: {
          memory: { limit: 50_003_968 },
          pids: { limit: 33 },
          cpu: { shares: 512, quota: 50_000, period: 100_000 },
        },
      },
      { "org.systemd.property.CollectMode": "'inactive-or-failed'" },
    );
    const created = await runtime("create", "--bundle", bundle, "one");
    assert.equal(created.status, 0, created.stderr);
    const unit = await shown("mycontainer-one.scope");
    assert.equal(unit["Slice"], SLICE);
    assert.equal(unit["Delegate"], "yes");
    assert.equal(unit["TasksMax"], "33");
    assert.equal(unit["CPUQuotaPerSecUSec"], "500ms");
    assert.equal(unit["CollectMode"], "inactive-or-failed");
    assert.ok([unit["MemoryLimit"], unit["MemoryMax"]].includes("50003968"));
    const { pid } = JSON.parse((await runtime("state", "one")).stdout);
    const cgroups = readFileSync(`/proc/${pid}/cgroup`, "utf8");
    assert.match(cgroups, new RegExp(`^\\d+:(memory|):${CGROUP}/mycontainer-one.scope$`, "m"));

    assert.equal((await runtime("start", "one")).status, 0);
    assert.equal((await runtime("exec", "one", "true")).status, 0);
    const updated = await runtime("update", "--pids-limit", "44", "one");
    assert.equal(updated.status, 0, updated.stderr);
    assert.equal((await shown("mycontainer-one.scope"))["TasksMax"], "44");

    const deleted = await runtime("delete", "--force", "one");
    assert.equal(deleted.status, 0, deleted.stderr);
    assert.equal((await shown("mycontainer-one.scope"))["LoadState"], "not-found");
    for (const hierarchy of ["memory", "pids", "systemd", ""]) {
      assert.ok(!existsSync(join("/sys/fs/cgroup", hierarchy, CGROUP, "mycontainer-one.scope")), hierarchy);
    }
  });

  test("a path that is no slice:prefix:name is refused, and nothing is left", async () => {
    writeConfig({ cgroupsPath: "/not/systemd" });
    const { status, stderr } = await runtime("create", "--bundle", bundle, "one");
    assert.equal(status, 1);
    assert.match(
      stderr,
      /expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "\/not\/systemd" instead/,
    );
    assert.equal((await runtime("state", "one")).status, 1);
  });

  test("a property that systemd does not know is an error that tells what it says", async () => {
    writeConfig({ cgroupsPath: `${SLICE}:mycontainer:one` }, { "org.systemd.property.NoSuchThing": "true" });
    const { status, stderr } = await runtime("create", "--bundle", bundle, "one");
    assert.equal(status, 1);
    assert.match(stderr, /systemd refuses StartTransientUnit: .*NoSuchThing/);
    assert.equal((await runtime("state", "one")).status, 1);
  });
});
