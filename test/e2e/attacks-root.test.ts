/**
 * Attacks by what lies in a root: links, pipes and huge files in the place of what the engine uses.
 * docs/security.md: R2, R4, R6, R7, R12.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Engine, e2e, type Outcome } from "./harness.ts";
import { addAttacker, endAttacker, makeRoot, runWith } from "./hostile.ts";

function runRoot(engine: Engine, root: string, command: string[], flags: string[] = []): Promise<Outcome> {
  return engine.call(["run", "-q", "--network", "none", ...flags, "--rootfs", root, ...command]);
}

/** A directory of the host, which no container is given. */
function hostDirectory(engine: Engine): string {
  const directory = mkdtempSync(join(engine.directory, "host-"));
  writeFileSync(join(directory, "file"), "of the host\n");
  return directory;
}

const NODES = "for node in null zero; do test -c /dev/$node || exit 1; done";

e2e(
  "a link in the place of /dev leads to the image's directory of that name and never to the host's",
  async (engine) => {
    const root = makeRoot(engine);
    const host = hostDirectory(engine);
    symlinkSync(host, join(root, "dev"));
    await runRoot(engine, root, ["true"]);
    assert.deepEqual(readdirSync(host), ["file"]);
    rmSync(join(root, "dev"));
    symlinkSync("/../devices", join(root, "dev"));
    const { status, stderr } = await runRoot(engine, root, ["sh", "-c", NODES]);
    assert.equal(status, 0, stderr);
  },
);

for (const runtime of ["runc", "crun"] as const) {
  e2e(
    `Debian's ${runtime} makes the links and nodes of /dev in the host's directory that such a link leads to`,
    async (engine) => {
      const root = makeRoot(engine);
      const host = hostDirectory(engine);
      symlinkSync(host, join(root, "dev"));
      await runWith(runtime, engine, root, { args: ["/bin/true"] });
      assert.ok(readdirSync(host).includes("fd"), `${runtime} no longer fails: it serves no more as a comparison`);
    },
  );
}

const SECRET = "/proc/sys/kernel/domainname";
const CHECK_MASKS = `
  for file in /proc/keys /proc/timer_list /proc/interrupts; do
    echo pwned >$file
    test -s $file && echo "$file is readable"
  done
  for directory in /proc/acpi /sys/firmware; do
    test -z "$(ls -A $directory)" || echo "$directory is not empty"
  done
  for file in /proc/sysrq-trigger /proc/sys/kernel/domainname; do
    (echo pwned >$file) 2>/dev/null && echo "$file can be written to"
  done
  grep -q pwned ${SECRET} && echo "${SECRET} has changed"
  true`;

e2e("masked files of /proc stay masked if the image's null device is a link to one of them", async (engine) => {
  const root = makeRoot(engine);
  mkdirSync(join(root, "dev"));
  symlinkSync(SECRET, join(root, "dev/null"));
  const { status, stdout, stderr } = await runRoot(engine, root, ["sh", "-c", CHECK_MASKS]);
  assert.deepEqual([status, stdout], [0, ""], stderr);
});

e2e(
  "a volume in the place of /dev is left as it is, and a mask is not what its null device leads to",
  async (engine) => {
    const volume = mkdtempSync(join(engine.directory, "dev-"));
    symlinkSync(SECRET, join(volume, "null"));
    const command = ["sh", "-c", "wc -c </proc/keys; ls /dev"];
    const { status, stdout, stderr } = await runRoot(engine, makeRoot(engine), command, ["-v", `${volume}:/dev`]);
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stdout, /\b(zero|full|random|fd)\b/);
    assert.match(stdout, /^0\n(.*\n)*null\n/);
  },
);

e2e("with Debian's runc a mask shows what such a link leads to", async (engine) => {
  const root = makeRoot(engine);
  mkdirSync(join(root, "dev"));
  symlinkSync(SECRET, join(root, "dev/null"));
  const args = ["/bin/sh", "-c", "cat /proc/keys >/result"];
  const { stderr } = await runWith("runc", engine, root, { args, linux: { maskedPaths: ["/proc/keys"] } });
  assert.equal(readFileSync(join(root, "result"), "utf8"), "(none)\n", stderr);
});

for (const name of ["proc", "sys"]) {
  for (const [what, make] of [
    ["a link to another directory of the image", (path: string) => symlinkSync("bin", path)],
    ["a link out of the image", (path: string) => symlinkSync("/../../tmp", path)],
    ["a file", (path: string) => writeFileSync(path, "")],
  ] as const) {
    e2e(`an image in which /${name} is ${what} is refused`, async (engine) => {
      const root = makeRoot(engine);
      make(join(root, name));
      const { status, stderr } = await runRoot(engine, root, ["true"]);
      assert.equal(status, 125);
      assert.match(stderr, new RegExp(`/${name} must be mounted on ordinary directory`));
    });
  }
}

const STARTS = 100;

e2e("mount targets that another container swaps never lead out of the root", async (engine, t) => {
  const host = hostDirectory(engine);
  const shared = mkdtempSync(join(engine.directory, "shared-"));
  mkdirSync(join(shared, "target"));
  symlinkSync(`/../../../../../../../..${host}`, join(shared, "link"));
  const attackerRoot = makeRoot(engine);
  const program = addAttacker(engine, attackerRoot);
  const flags = ["--network", "none", "--cpus", "0", "--name", "swapper", "-v", `${shared}:/shared`];
  const swapper = engine.start([
    "run",
    ...flags,
    "--rootfs",
    attackerRoot,
    program,
    "swap",
    "/shared/target",
    "/shared/link",
  ]);
  await swapper.sees("stderr", "Container ready");
  await swapper.sees("stdout", "ready");
  const root = makeRoot(engine);
  const mounts = [
    "-v",
    `${shared}:/shared`,
    "--tmpfs",
    "/shared/target/deep",
    "-v",
    `${engine.directory}:/shared/target/bound`,
  ];
  for (let turn = 0; turn < STARTS; turn++) {
    await runRoot(engine, root, ["true"], mounts);
    assert.deepEqual(readdirSync(host), ["file"], `in turn ${turn}`);
  }
  const { seen = 0 } = await endAttacker(engine, "swapper", swapper);
  t.diagnostic(`${STARTS} starts during ${seen} exchanges`);
  assert.ok(seen > STARTS, "nothing was swapped");
});

const WITHIN_MS = 2000;

for (const [what, make, message] of [
  ["a pipe", (path: string) => execFileSync("mkfifo", [path]), /\/etc\/passwd is not a regular file but a fifo/],
  [
    "a device",
    (path: string) => execFileSync("mknod", [path, "c", "1", "5"]),
    /\/etc\/passwd is not a regular file but a character/,
  ],
  ["a link to the host's", (path: string) => symlinkSync("/../../../../etc/passwd", path), /\/etc\/passwd/],
  [
    "a sparse file of 1 GiB",
    (path: string) => {
      writeFileSync(path, "");
      truncateSync(path, 1 << 30);
    },
    /\/etc\/passwd is larger than 16 MiB/,
  ],
] as const) {
  e2e(`an image whose /etc/passwd is ${what} is refused at once`, async (engine) => {
    const root = makeRoot(engine);
    mkdirSync(join(root, "etc"));
    make(join(root, "etc/passwd"));
    const options = { timeoutMs: WITHIN_MS };
    const command = ["run", "-q", "--network", "none", "--user", "daemon", "--rootfs", root, "id"];
    const { status, stderr } = await engine.call(command, options);
    assert.equal(status, 125);
    assert.match(stderr, message);
  });
}

e2e("the host's own name, files and users are unchanged by all of this", async () => {
  assert.equal(readFileSync("/proc/sys/kernel/hostname", "utf8").trim(), hostname());
  assert.doesNotMatch(readFileSync(SECRET, "utf8"), /pwned/);
});
