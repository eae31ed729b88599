/** `create`, `start` and `cp` are killed at their system calls: the same command does its work afterwards. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sharedEngine } from "./harness.ts";
import { describe, runSweep, type Sweep } from "./sweep.ts";

const SAMPLE_POINTS = 12;
const FINDINGS_SHOWN = 20;
const SWEEP_TIMEOUT_MS = 240_000;

const CREATE = ["create", "--name", "sweep", "busybox", "true"];
const START = ["start", "sweep"];
const COPY = ["cp", "/etc/passwd", "sweep:/root"];
const LIST = ["ps", "-a"];
const WAIT = ["wait", "sweep"];
const REMOVE = ["rm", "-f", "sweep"];
/** The same name can be used again. */
const RUN = ["run", "--rm", "--name", "sweep", "busybox", "true"];

function sweepTest(name: string, sweep: Pick<Sweep, "before" | "command" | "next" | "leaving">): void {
  test(name, { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
    const engine = await sharedEngine();
    const kill = { process: "all", at: "entry", act: { kill: "all" }, pointsMost: SAMPLE_POINTS } as const;
    const { points, total, findings } = await runSweep(engine, { ...sweep, ...kill });
    t.diagnostic(`${points} points of ${total} system calls, ${findings.length} with something wrong`);
    if (findings.length > 0) assert.fail(findings.slice(0, FINDINGS_SHOWN).map(describe).join("\n"));
    assert.ok(points > 0, "nothing was killed");
  });
}

sweepTest("a create that is killed leaves nothing, or a container that can be removed", {
  command: CREATE,
  next: [LIST, ["container", "prune", "-f"], RUN],
  leaving: [LIST],
});

sweepTest("a start that is killed leaves a container that can be started", {
  before: [CREATE],
  command: START,
  next: [START, WAIT, REMOVE, RUN],
  leaving: [START, WAIT],
});

sweepTest("a cp that is killed leaves a container that can be copied to", {
  before: [CREATE],
  command: COPY,
  next: [COPY, REMOVE, RUN],
  leaving: [COPY],
});
