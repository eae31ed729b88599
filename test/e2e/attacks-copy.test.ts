/** docs/security.md: E1. A program in a container exchanges what is copied with a link to the host's, while it is copied. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { initPid } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER } from "./harness.ts";
import { addAttacker, endAttacker, makeRoot } from "./hostile.ts";

/** Copies of each kind. */
const TURNS = 40;
const CONTENT = { host: "of the host\n", container: "of the container\n", copied: "copied\n" };

/** A container that exchanges /swap/target, a directory, and /swap/link, which leads to a directory of the host. */
async function startSwapper(engine: Engine, name: string, shared?: string) {
  const host = mkdtempSync(join(engine.directory, "host-"));
  mkdirSync(join(host, "below"));
  for (const path of ["file", "below/file"]) writeFileSync(join(host, path), CONTENT.host);
  const root = makeRoot(engine);
  const swap = shared ?? join(root, "swap");
  mkdirSync(join(swap, "target/below"), { recursive: true });
  for (const path of ["file", "below/file"]) writeFileSync(join(swap, "target", path), CONTENT.container);
  symlinkSync(`/../../../../../../..${host}`, join(swap, "link"));
  const flags = ["--network", "none", "--cpus", "0", "--name", name, ...(shared ? ["-v", `${shared}:/swap`] : [])];
  const command = [addAttacker(engine, root), "swap", "/swap/target", "/swap/link"];
  const swapper = engine.start(["run", ...flags, "--rootfs", root, ...command]);
  await swapper.sees("stdout", "ready");
  return { host, swap, swapper };
}

/** Runs a script again and again: what is copied from and to is in $1, our directory in $2, the executable in $0. */
function again(engine: Engine, script: string, ...args: string[]): void {
  const loop = `turn=0; while [ $turn -lt ${TURNS} ]; do turn=$((turn + 1)); ${script}; done`;
  const env = { ...process.env, ...engine.env };
  spawnSync("sh", ["-c", loop, MYCONTAINER, ...args], { env, stdio: "ignore" });
}

const OUT = [
  '"$0" cp $1/target/file $2/out-$turn',
  '"$0" cp -L $1/target/below $2/out-$turn',
  '"$0" cp -a $1/target/. $2/out-$turn',
  '"$0" cp $1/. $2/out-$turn',
  '"$0" cp $1/target/below/file - | tar -x -C $2 -O >$2/out-$turn',
] as const;

const IN = [
  '"$0" cp $2/in $1/target/file',
  '"$0" cp $2/tree/. $1/target',
  '"$0" cp $2/tree $1/target/below',
  '"$0" cp -L $2/in $1/target/below/new',
  'tar -c -C $2 tree | "$0" cp - $1/target',
] as const;

/** The contents of all files below a directory; what links lead to does not count. */
function contentsBelow(directory: string): string[] {
  const found = execFileSync("find", [directory, "-type", "f", "-exec", "cat", "{}", "+"], { encoding: "utf8" });
  return [...new Set(found.split("\n").filter(Boolean))].map((line) => `${line}\n`);
}

function makeCopies(engine: Engine): string {
  const ours = mkdtempSync(join(engine.directory, "copies-"));
  mkdirSync(join(ours, "tree/below"), { recursive: true });
  for (const path of ["in", "tree/file", "tree/below/file"]) writeFileSync(join(ours, path), CONTENT.copied);
  return ours;
}

const assertUntouched = (host: string): void => {
  assert.deepEqual(readdirSync(host).sort(), ["below", "file"]);
  assert.deepEqual(readdirSync(join(host, "below")), ["file"]);
  assert.deepEqual(contentsBelow(host), [CONTENT.host]);
};

for (const [where, isShared] of [
  ["the root", false],
  ["a volume", true],
] as const) {
  e2e(
    `a directory of ${where} that is exchanged with a link while it is copied leads nowhere else`,
    async (engine, t) => {
      const shared = isShared ? mkdtempSync(join(engine.directory, "shared-")) : undefined;
      const { host, swap, swapper } = await startSwapper(engine, "swapper", shared);
      for (const script of OUT) {
        const ours = mkdtempSync(join(engine.directory, "copies-"));
        again(engine, script, "swapper:/swap", ours);
        const seen = contentsBelow(ours);
        assert.ok(seen.includes(CONTENT.container), `nothing was ever copied: ${script}`);
        assert.deepEqual(seen, [CONTENT.container], `files of the host were read: ${script}`);
      }
      const ours = makeCopies(engine);
      for (const script of IN) {
        again(engine, script, "swapper:/swap", ours);
        assertUntouched(host);
      }
      const { seen = 0 } = await endAttacker(engine, "swapper", swapper);
      assert.ok(contentsBelow(swap).includes(CONTENT.copied), "nothing was ever copied into it");
      t.diagnostic(`${TURNS * (OUT.length + IN.length)} copies during ${seen} exchanges`);
      assert.ok(seen > 5000, "nothing was swapped");
    },
  );
}

e2e("a copy by path, as others make it, reads and writes the host's files by the same exchange", async (engine) => {
  const { host, swapper } = await startSwapper(engine, "swapper");
  const pid = await initPid(engine, "swapper");
  const ours = makeCopies(engine);
  for (let tries = 0; tries < 20 && !contentsBelow(ours).includes(CONTENT.host); tries++) {
    again(engine, "cp $1/target/file $2/out-$turn", `/proc/${pid}/root/swap`, ours);
  }
  assert.ok(contentsBelow(ours).includes(CONTENT.host), "the attack does not work where nothing stands against it");
  for (let tries = 0; tries < 20 && readFileSync(join(host, "file"), "utf8") === CONTENT.host; tries++) {
    again(engine, "cp $2/in $1/target/file", `/proc/${pid}/root/swap`, ours);
  }
  assert.equal(readFileSync(join(host, "file"), "utf8"), CONTENT.copied);
  await endAttacker(engine, "swapper", swapper);
});
