// Builds dist/mycontainer: TypeScript -> bundle (esbuild) -> QuickJS bytecode -> the heap of the evaluated program, in the static executable.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { makeBusyboxImage } from "./busybox-image.mjs";
import { observeCommands } from "./layout.mjs";
import { prebuiltFilters } from "./prebuilt-filters.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const bundle = join(dist, "bundle");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "native/target");

/** Commands of each face that start processes in containers: the host seals its executable before them (native/src/seal.rs). */
const SEALED_COMMANDS = {
  cli: ["run", "create", "exec", "healthcheck", "start", "restart", "restore"],
  // Its `start` opens a gate, and what waits there has been sealed by `create`.
  oci: ["run", "create", "exec", "restore"],
};

/** What git calls the sources; empty where they come without it. */
function commitHere() {
  const { status, stdout } = spawnSync("git", ["-C", root, "describe", "--always", "--dirty", "--abbrev=12"], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : "";
}

function cargo(args, env = {}) {
  execFileSync("cargo", ["build", "--release", "--locked", "--quiet", ...args], {
    cwd: join(root, "native"),
    stdio: "inherit",
    env: { ...process.env, CARGO_TARGET_DIR: target, ...env },
  });
}

/**
 * The target of the executable that starts with each command: with musl, whose start takes a third of a millisecond less than
 * glibc's, where its compiler (Debian: musl-tools) and Rust's library for it (`rustup target add`) are there. Undefined: with glibc.
 */
function muslTarget() {
  const architecture = { x64: "x86_64", arm64: "aarch64" }[process.arch];
  const triple = `${architecture}-unknown-linux-musl`;
  const library = spawnSync("rustc", ["--print", "target-libdir", "--target", triple], { encoding: "utf8" });
  const hasLibrary = library.status === 0 && existsSync(library.stdout.trim());
  const hasCompiler = spawnSync("musl-gcc", ["--version"]).status === 0;
  return hasLibrary && hasCompiler ? triple : undefined;
}

function step(text) {
  if (process.env.MYCONTAINER_BUILD_QUIET === undefined) console.error(`[build] ${text}`);
}

rmSync(bundle, { recursive: true, force: true });
mkdirSync(bundle, { recursive: true });

step("bundling TypeScript");
await build({
  entryPoints: { main: join(root, "src/main.ts") },
  outdir: bundle,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2023",
  // The engine has it itself, faster than what would stand for it.
  supported: { using: true },
  minify: true,
  keepNames: false,
  chunkNames: "[name]-[hash]",
  plugins: [prebuiltFilters],
  define: { BUILD_COMMIT: JSON.stringify(commitHere()) },
  logLevel: "warning",
});
for (const [face, commands] of Object.entries(SEALED_COMMANDS)) {
  writeFileSync(join(bundle, `sealed-${face}`), commands.join("\n"));
}

step("building the executables");
const musl = muslTarget();
if (musl === undefined) {
  step(
    "without musl: starting takes 0.3 ms longer (apt install musl-tools; rustup target add, for this machine's musl)",
  );
  cargo(["--workspace"]);
} else {
  cargo(["--workspace", "--exclude", "mycontainer-host", "--exclude", "mycontainer-engine"]);
  cargo(["-p", "mycontainer-host", "--target", musl], { [`CC_${musl.replaceAll("-", "_")}`]: "musl-gcc" });
}
const host = join(target, musl ?? "", "release");

step("compiling to bytecode");
const archive = join(dist, "modules.bin");
execFileSync(join(host, "mycontainer-compile"), [archive, ...readdirSync(bundle).map((name) => join(bundle, name))], {
  stdio: "inherit",
});

step("making the built-in image");
const busybox = join(dist, "busybox.tar");
makeBusyboxImage(`${busybox}.new`);
renameSync(`${busybox}.new`, busybox);

step("laying out the heap by what commands use");
const record = join(dist, "uses.bin");
rmSync(record, { force: true });
const trouble = observeCommands({
  host: join(host, "mycontainer"),
  codec: join(target, "release/mycontainer-codec"),
  archive,
  image: busybox,
  record,
});
if (trouble !== undefined) {
  step(`no containers can be made here, starting takes some 0.5 ms longer: ${trouble}`);
}

// The executable comes last and by a rename: who sees it can use it, also while it is built anew.
for (const [name, make] of [
  ...["mycontainer-codec", "mycontainer-fetch"].map((name) => [
    name,
    (path) => execFileSync("install", ["-m", "755", join(target, "release", name), path]),
  ]),
  ["mycontainer-runtime", (path) => symlinkSync("mycontainer", path)],
  ["mycontainer", (path) => execFileSync(join(host, "mycontainer"), [record, archive, path], { stdio: "inherit" })],
]) {
  const path = join(dist, name);
  rmSync(`${path}.new`, { force: true });
  make(`${path}.new`);
  renameSync(`${path}.new`, path);
}
rmSync(record);
