/**
 * Commands that change the store of images, or read it, are killed at their system calls and those of their helpers; after one
 * next command nothing of it is left, and it works again. `npm test` takes a sample of the calls, MYCONTAINER_FULL_SWEEP=1
 * all; MYCONTAINER_ERROR_SWEEP=1 lets a sample of them fail instead, with each errno that a loaded machine gives.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { contextOf } from "./build-context.ts";
import { removeAll, startDetached } from "./containers.ts";
import { type Engine, sharedEngine } from "./harness.ts";
import { layerOf, layoutOf } from "./image-layout.ts";
import { contentsOf } from "./image-store.ts";
import { openRegistry, type ScriptedRegistry, takeUploads } from "./scripted-registry.ts";
import { describe, runSweep, type Sweep, type Swept } from "./sweep.ts";
import { tar } from "./tar.ts";

const FULL = process.env["MYCONTAINER_FULL_SWEEP"] !== undefined;
const ERRORS = process.env["MYCONTAINER_ERROR_SWEEP"] !== undefined;
const SAMPLE_POINTS = 8;
const ERROR_POINTS = 25;
const FINDINGS_SHOWN = 20;
const SWEEP_TIMEOUT_MS = FULL || ERRORS ? 7_200_000 : 120_000;
const SETTLE_MOST_MS = 3000;

const NAME = "swept:1";
const LARGE = randomBytes(200_000);
/** What a store has at its top; all else there was forgotten. */
const TOP = [
  "blobs",
  "cache",
  "hold",
  "index.json",
  "layers",
  "lock",
  "oci-layout",
  "partial",
  "references",
  "staging",
];

type Commands = Pick<Sweep, "before" | "command" | "next">;
type Scene = { engine: Engine; registry: ScriptedRegistry; out: string; container: string; partials: string[] };

/** Our programs that run, as "pid name": in `npm test` there are those of this test alone. */
function ourProcesses(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
        return name.startsWith("mycontainer") ? [`process ${pid} ${name}`] : [];
      } catch {
        return [];
      }
    });
}

/** What is there of the store, of archives and of processes that nobody accounts for. */
function strayIn({ engine, out, partials }: Scene, processes: string[]): string[] {
  const images = join(engine.root, "images");
  const list = (directory: string, known: string[]) =>
    (existsSync(directory) ? readdirSync(directory) : [])
      .filter((name) => !known.includes(name))
      .map((name) => join(directory, name));
  return [
    ...list(images, TOP),
    ...list(join(images, "staging"), []),
    // The beginning of a layer that the next pull goes on with.
    ...list(join(images, "partial"), partials),
    ...list(out, ["saved.tar"]),
    ...readdirSync(engine.root).filter((name) => name.startsWith("build-")),
    ...ourProcesses().filter((process) => !processes.includes(process)),
  ];
}

/** Each command with what must be there before it, and what must succeed after it was killed. */
function commandsOf({ engine, registry, out, container }: Scene): Record<string, Commands> {
  const file = (name: string, data: Buffer) => {
    const path = join(engine.directory, name);
    writeFileSync(path, data);
    return path;
  };
  const image = file("image.tar.gz", gzipSync(tar({ name: "file", data: LARGE }, { name: "d/file", data: "x" })));
  const layers = [layerOf("a", "b"), tar({ name: ".wh.a", data: "" }, { name: "large", data: LARGE })];
  const archive = file(
    "images.tar",
    layoutOf({ name: `docker.io/library/${NAME}`, layers, compression: "gzip" }).archive,
  );
  const [pulled, pushed] = [`${registry.host}/${NAME}`, `${registry.host}/pushed:1`];
  const check = ["system", "check"];
  const again = (command: string[], name: string) => [
    ["images"],
    check,
    command,
    ["rmi", name],
    // What had the name before, if the command was killed behind that point.
    ["image", "prune", "-f"],
  ];
  const making = (command: string[], name: string): Commands => ({ command, next: again(command, name) });
  const bring = ["import", image, NAME];
  const Dockerfile =
    "FROM busybox\nCOPY file /d/\nRUN cat /d/file >/e && rm /bin/vi\nFROM busybox\nCOPY --from=0 /e /\n";
  const context = contextOf(engine, { Dockerfile, file: "of the context" });
  const build = ["build", "--network", "none", "-q", "-t", NAME, context];
  const commit = ["commit", container, NAME];
  const save = ["save", "-o", join(out, "saved.tar"), "busybox"];
  const push = ["push", pushed];
  const prune = ["image", "prune", "-f"];
  return {
    import: making(bring, NAME),
    load: making(["load", "-i", archive], NAME),
    pull: making(["pull", pulled], pulled),
    commit: { command: commit, next: [["images"], ["exec", container, "true"], ...again(commit, NAME)] },
    push: { command: push, next: [["images"], check, push] },
    // Only who writes there again knows where the file was to be.
    save: { command: save, next: [save, ["images"], check] },
    // It is the next build that clears both containers and the store.
    build: {
      command: build,
      next: [build, ["images"], check, ["rmi", NAME], ["image", "prune", "-f"], ["builder", "prune", "-f"]],
    },
    rmi: { before: [bring], command: ["rmi", NAME], next: again(bring, NAME) },
    prune: { before: [["import", image]], command: prune, next: [["images"], check, prune] },
  };
}

let shared: Promise<Scene> | undefined;

function sharedScene(): Promise<Scene> {
  shared ??= (async () => {
    const engine = await sharedEngine();
    const out = join(engine.directory, "out");
    mkdirSync(out);
    const registry = await openRegistry();
    const { layers } = registry.image(NAME, [layerOf("one"), tar({ name: "two", data: LARGE })]);
    takeUploads(registry);
    const { status, stderr } = await engine.call(["tag", "busybox", `${registry.host}/pushed:1`]);
    assert.equal(status, 0, stderr);
    // A full sweep takes more than an hour.
    const container = await startDetached(engine, ["--network", "none"], ["sleep", "100000"]);
    return { engine, registry, out, container, partials: layers.map((digest) => digest.slice(7)) };
  })();
  return shared;
}

function sweepTest(title: string, name: string, sweep: Pick<Sweep, "process" | "at" | "act">, most?: number): void {
  test(title, { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
    const scene = await sharedScene();
    const { engine } = scene;
    const commands = commandsOf(scene)[name];
    assert.ok(commands !== undefined);
    const images = join(engine.root, "images");
    const before = contentsOf(images).sort();
    const processes = ourProcesses();
    const swept: Swept = {
      ...engine,
      leaks: async () => {
        // Helpers end with the command, which takes the kernel a moment.
        const deadline = performance.now() + SETTLE_MOST_MS;
        for (;;) {
          const stray = strayIn(scene, processes);
          if (stray.length === 0 || performance.now() > deadline) return stray;
          await turn();
        }
      },
      clean: async () => {
        for (const command of [
          ["rmi", "-f", NAME],
          ["image", "prune", "-f"],
          ["builder", "prune", "-f"],
        ])
          await engine.call(command);
      },
    };
    const points = most === undefined ? {} : { pointsMost: most };
    const result = await runSweep(swept, { ...sweep, ...commands, ...points, exitsOnly: [0, 125] });
    t.diagnostic(
      `${result.points} points of ${result.total} system calls, ${result.findings.length} with something wrong`,
    );
    if (result.findings.length > 0) assert.fail(result.findings.slice(0, FINDINGS_SHOWN).map(describe).join("\n"));
    assert.ok(result.points > 0, "nothing was killed");
    assert.deepEqual(contentsOf(images).sort(), before, "the store is not as it was");
  });
}

const NAMES = ["import", "load", "pull", "commit", "build", "push", "save", "rmi", "prune"];
const most = FULL ? undefined : SAMPLE_POINTS;

for (const name of ERRORS ? [] : NAMES) {
  const all = { process: "all", act: { kill: "all" } } as const;
  sweepTest(`${name} killed with its helpers leaves nothing`, name, { ...all, at: "entry" }, most);
  if (FULL) sweepTest(`${name} killed with its helpers after a call leaves nothing`, name, { ...all, at: "exit" });
  const one = { process: 1, at: "entry", act: { kill: "one" } } as const;
  if (name !== "prune") sweepTest(`${name} killed alone leaves nothing`, name, one, most);
  const helper = { process: 2, at: "entry", act: { kill: "one" } } as const;
  if (["import", "load", "pull", "commit", "build", "push"].includes(name))
    sweepTest(`${name} whose helper is killed leaves nothing`, name, helper, most);
}

for (const name of ERRORS ? NAMES : []) {
  for (const errno of ["EINTR", "ENOMEM", "ENOSPC", "EMFILE", "EIO", "EAGAIN", "ENOSYS"] as const) {
    const act = { inject: constants.errno[errno] };
    const title = `${errno} at a system call of ${name} ends in success or an error, and leaves nothing`;
    sweepTest(title, name, { process: "all", at: "entry", act }, ERROR_POINTS);
  }
}

test("what the sweeps needed is removed", async () => {
  const { engine, registry, container } = await sharedScene();
  await removeAll(engine, container);
  await registry.close();
});
