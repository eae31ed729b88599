/** An image is removed at the very moment at which a container is made of it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { removeAll } from "./containers.ts";
import { type Engine, e2e, MYCONTAINER, type Outcome } from "./harness.ts";

const ROUNDS = 40;

async function imageOf(engine: Engine, archive: string): Promise<void> {
  const { status, stderr } = await engine.call(["import", archive, "mine"]);
  assert.equal(status, 0, stderr);
}

/** The first of two commands starts so many milliseconds before the other, or after it, if negative. */
async function atOnce(engine: Engine, first: string[], second: string[], turn: number): Promise<Outcome[]> {
  const earlier = engine.start(turn % 2 === 0 ? first : second);
  // Some work in between, of a length that differs: so all moments of the one meet all moments of the other.
  execFileSync("sh", ["-c", `i=0; while [ $i -lt ${(turn % 20) * 300} ]; do i=$((i + 1)); done`]);
  const later = engine.start(turn % 2 === 0 ? second : first);
  const outcomes = await Promise.all([earlier.ended, later.ended]);
  return turn % 2 === 0 ? outcomes : outcomes.reverse();
}

for (const [what, remove] of [
  ["rmi", ["rmi", "mine"]],
  ["image prune", ["image", "prune", "-af"]],
] as const) {
  e2e(
    `a container starts with all of its image or is told that there is none, whenever ${what} runs`,
    async (engine, t) => {
      const directory = execFileSync("mktemp", ["-d", join(engine.directory, "race-XXXXXX")], {
        encoding: "utf8",
      }).trim();
      const archive = join(directory, "image.tar");
      const files =
        "mkdir -p root/bin root/many; cp $(command -v busybox) root/bin; for n in $(seq 100); do echo $n >root/many/$n; done";
      execFileSync(
        "sh",
        ["-ec", `${files}; for a in sh cat sleep; do ln -s busybox root/bin/$a; done; tar -cf image.tar -C root .`],
        {
          cwd: directory,
        },
      );
      const images = () => engine.call(["images", "--format", "json"]);
      const counts = { ran: 0, gone: 0 };
      for (let turn = 0; turn < ROUNDS; turn++) {
        if (!(await images()).stdout.includes(`"mine"`)) await imageOf(engine, archive);
        const command = ["run", "-d", "--pull", "never", "--network", "none", "mine", "sleep", "1000"];
        const [ran, removed] = await atOnce(engine, command, [...remove], turn);
        assert.ok(ran !== undefined && removed !== undefined);
        const isHere = (await images()).stdout.includes(`"mine"`);
        if (ran.status === 0) {
          const id = ran.stdout.trim();
          const read = await engine.call(["exec", id, "sh", "-c", "cat /many/*"]);
          assert.equal(read.stdout.split("\n").length, 101, `files have gone: ${read.stderr}`);
          assert.ok(isHere, `the image of a container has gone: ${removed.stdout}${removed.stderr}`);
          if (what === "rmi") assert.match(removed.stderr, /is used by container/);
          await removeAll(engine, id);
          counts.ran++;
        } else {
          assert.match(ran.stderr, /no image 'mine' here/);
          assert.equal(removed.status, 0, removed.stderr);
          assert.ok(!isHere, "the image is here, and was said not to be");
          counts.gone++;
        }
      }
      t.diagnostic(`${counts.ran} ran, ${counts.gone} found no image`);
      assert.ok(counts.ran > 0 && counts.gone > 0, "one of the two always came first");
      await engine.call(["rmi", "mine"]);
      const { stdout } = await engine.call(["system", "check"]);
      assert.match(stdout, /all is well/);
    },
  );
}

e2e("an image that is being removed as the command is killed is put back", async (engine) => {
  const archive = join(engine.directory, "put-back.tar");
  execFileSync("tar", ["-cf", archive, "-C", "/etc", "passwd"]);
  await imageOf(engine, archive);
  // What a kill leaves at its worst moment: the record is aside, and the place in staging/ is there.
  const script =
    'cd "$MYCONTAINER_ROOT/images" && mv references/*mine* references/+$(cd references && echo *mine*) && mkdir staging/left';
  execFileSync("sh", ["-ec", script], { env: { ...process.env, ...engine.env } });
  const listed = await engine.call(["images", "--format", "json"]);
  assert.match(listed.stdout, /"mine"/, `${MYCONTAINER} has lost an image`);
  assert.equal((await engine.call(["rmi", "mine"])).status, 0);
});
