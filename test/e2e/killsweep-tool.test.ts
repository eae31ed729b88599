/** The tool of the kill sweep itself: a sweep that kills nothing would find nothing. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { start } from "./harness.ts";
import { compileKillsweep, type Report } from "./sweep.ts";

const directory = mkdtempSync(join(tmpdir(), "killsweep-"));
after(() => rmSync(directory, { recursive: true }));
const program = compileKillsweep(directory);

async function killsweep(options: string[], command: string[]) {
  const out = join(directory, "report");
  const { status, stdout } = await start(directory, [program, ...options, "--out", out, "--", ...command]).ended;
  return { status, stdout, report: JSON.parse(readFileSync(out, "utf8")) as Report };
}

const TWO = ["sh", "-c", "cat /proc/self/comm; exit 3"];

test("without a point the command runs undisturbed, and the calls of each process are counted", async () => {
  const { stdout, report } = await killsweep([], TWO);
  assert.equal(stdout, "cat\n");
  assert.deepEqual([report.acted, report.exit, report.signal], [false, 3, 0]);
  assert.deepEqual(
    report.processes.map(({ name }) => name),
    ["sh", "cat"],
  );
  assert.ok(report.processes.every(({ calls }) => calls > 5));
});

test("at each point in turn all processes are killed, and the calls made are as many as the point says", async () => {
  for (const point of [1, 7, 20]) {
    const { report } = await killsweep(["--nth", String(point)], TWO);
    assert.deepEqual([report.acted, report.exit, report.signal, report.timeout], [true, 137, 9, false]);
    assert.equal(
      report.processes.reduce((sum, { calls }) => sum + calls, 0),
      point,
    );
  }
});

test("one process alone is killed, and the others go on", async () => {
  const { report } = await killsweep(
    ["--process", "2", "--nth", "3", "--kill", "one"],
    ["sh", "-c", "cat /dev/null; echo $?"],
  );
  assert.deepEqual([report.acted, report.process, report.exit], [true, 2, 0]);
});

test("a call is not made and fails with the errno that is asked for", async () => {
  const points = Array.from({ length: 40 }, (_, index) => String(index + 1));
  const errors = new Set<string>();
  for (const point of points) {
    const inject = ["--inject", String(constants.errno.EMFILE), "--nth", point];
    const { report } = await killsweep(inject, ["sh", "-c", "exec 2>&1; exec cat /etc/hostname"]);
    assert.equal(report.acted, true);
    errors.add(String(report.exit));
  }
  assert.ok(errors.size > 1, "no call that failed made a difference");
});

test("a command that hangs is killed when its time is over", async () => {
  for (const script of ["tail -f /dev/null; true", "while :; do read line </dev/null; done"]) {
    const { report } = await killsweep(["--timeout", "1"], ["sh", "-c", script]);
    assert.deepEqual([report.timeout, report.exit], [true, 137], script);
  }
});

test("what the command leaves running is let go", async () => {
  const { status, stdout, report } = await killsweep(["--leave"], ["sh", "-c", "tail -f /dev/null & echo $!"]);
  assert.deepEqual([status, report.exit], [0, 0]);
  process.kill(Number(stdout), "SIGKILL");
});
