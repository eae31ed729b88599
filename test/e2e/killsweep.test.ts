/**
 * `run` is killed at its system calls. `npm test` takes a sample of them, MYCONTAINER_FULL_SWEEP=1 all;
 * MYCONTAINER_ERROR_SWEEP=1 lets them fail instead, with each errno that a loaded machine gives.
 */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { sharedEngine } from "./harness.ts";
import { describe, runSweep, type Sweep } from "./sweep.ts";

const FULL = process.env["MYCONTAINER_FULL_SWEEP"] !== undefined;
const ERRORS = process.env["MYCONTAINER_ERROR_SWEEP"] !== undefined;
const SAMPLE_POINTS = 50;
const FINDINGS_SHOWN = 20;
const SWEEP_TIMEOUT_MS = FULL || ERRORS ? 3_600_000 : 120_000;

const RUN = ["run", "--rm", "--name", "sweep", "busybox", "true"];
const DETACHED = ["run", "-d", "--rm", "--name", "sweep", "busybox", "true"];
/** Any next command cleans; after it the same name can be used again. */
const NEXT = [["ps", "-a"], RUN];

function sweepTest(name: string, sweep: Omit<Sweep, "next" | "pointsMost">, all: boolean): void {
  test(name, { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
    const engine = await sharedEngine();
    const options = all ? {} : { pointsMost: SAMPLE_POINTS };
    const { points, total, findings } = await runSweep(engine, { ...sweep, ...options, next: NEXT });
    t.diagnostic(`${points} points of ${total} system calls, ${findings.length} with something wrong`);
    if (findings.length > 0) assert.fail(findings.slice(0, FINDINGS_SHOWN).map(describe).join("\n"));
    assert.ok(points > 0, "nothing was killed");
  });
}

for (const at of ["entry", "exit"] as const) {
  sweepTest(
    `run killed with its children at the ${at} of a system call leaves nothing`,
    { command: RUN, process: "all", at, act: { kill: "all" } },
    FULL,
  );
}
sweepTest(
  "run killed alone leaves nothing, and its container dies with it",
  { command: RUN, process: 1, at: "entry", act: { kill: "one" } },
  FULL,
);
sweepTest(
  "a container's first process killed at the start leaves nothing",
  { command: RUN, process: 2, at: "entry", act: { kill: "one" } },
  FULL,
);
sweepTest(
  "a detached run killed with its monitor leaves nothing",
  { command: DETACHED, process: "all", at: "entry", act: { kill: "all" } },
  FULL,
);

if (ERRORS) {
  for (const errno of ["EINTR", "ENOMEM", "ENOSPC", "EMFILE", "EIO", "EAGAIN", "ENOSYS"] as const) {
    const act = { inject: constants.errno[errno] };
    sweepTest(
      `${errno} at any system call of run ends in success or an error, and leaves nothing`,
      { command: RUN, process: "all", at: "entry", act },
      true,
    );
  }
}
