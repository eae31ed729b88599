/**
 * Commands of the OCI face are killed at their system calls. `npm test` takes a sample of them, MYCONTAINER_FULL_SWEEP=1 all;
 * MYCONTAINER_ERROR_SWEEP=1 lets them fail instead, with each errno that a loaded machine gives.
 */
import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { MYCONTAINER_RUNTIME } from "./harness.ts";
import { addAttacker, makeRoot } from "./hostile.ts";
import { leaksOf, makeBundle, type Runtime, removeAll, sharedRuntime } from "./oci-bundles.ts";
import { describe, runSweep, type Sweep, type Swept } from "./sweep.ts";

const FULL = process.env["MYCONTAINER_FULL_SWEEP"] !== undefined;
const ERRORS = process.env["MYCONTAINER_ERROR_SWEEP"] !== undefined;
const SAMPLE_POINTS = 14;
const FINDINGS_SHOWN = 20;
const SWEEP_TIMEOUT_MS = FULL || ERRORS ? 7_200_000 : 120_000;

/** A program that ends with this status if it is confined by less than its bundle says. */
const LESS = 77;
const CONFINED = {
  process: {
    user: { uid: 0, gid: 0, umask: 0o027, additionalGids: [7] },
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }],
    oomScoreAdj: 321,
  },
  linux: {
    seccomp: {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["sethostname", "umount2"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    },
    maskedPaths: ["/proc/keys", "/proc/acpi"],
    readonlyPaths: ["/proc/sys"],
    sysctl: { "net.ipv4.ip_default_ttl": "77" },
  },
};
const CHECK = [
  "/attacker",
  "confined",
  ...["Uid", "Gid"].map((name) => `${name}:\t0\t0\t0\t0\n`),
  "Groups:\t7 ",
  "Umask:\t0027\n",
  ...["CapPrm", "CapEff", "CapBnd"].map((name) => `${name}:\t00000000080000e3\n`),
  ...["CapInh", "CapAmb"].map((name) => `${name}:\t0000000000000000\n`),
  "NoNewPrivs:\t1\n",
  "Seccomp:\t2\n",
];

const ID = "swept";
const DELETE = ["delete", "--force", ID];

type Commands = Pick<Sweep, "before" | "command">;

/** Each command with what must be there before it; `bundle` sleeps, `short` ends at once. */
function commandsOf(bundle: string, short: string): Record<string, Commands> {
  const create = ["create", "--bundle", bundle, ID];
  const start = ["start", ID];
  return {
    create: { command: create },
    start: { before: [create], command: start },
    run: { command: ["run", "--bundle", short, ID] },
    exec: { before: [create, start], command: ["exec", ID, ...CHECK] },
    "detached exec": { before: [create, start], command: ["exec", "--detach", ID, "/bin/sleep", "1000"] },
    kill: { before: [create, start], command: ["kill", ID, "KILL"] },
    delete: { before: [create, start], command: DELETE },
  };
}

function sweptBy(runtime: Runtime): Swept {
  return {
    ...runtime,
    program: [MYCONTAINER_RUNTIME, "--root", runtime.root],
    leaks: (before) => leaksOf(runtime, before),
    clean: () => removeAll(runtime),
  };
}

function bundlesOf(runtime: Runtime): { bundle: string; short: string } {
  const root = makeRoot(runtime);
  addAttacker(runtime, root);
  return {
    bundle: makeBundle(runtime, ["/bin/sleep", "1000"], CONFINED, root),
    short: makeBundle(runtime, CHECK, CONFINED, root),
  };
}

/** After a forced delete there is nothing, and the id can be used again. */
function sweepTest(title: string, name: string, sweep: Pick<Sweep, "process" | "at" | "act">, all: boolean): void {
  test(title, { timeout: SWEEP_TIMEOUT_MS }, async (t) => {
    const runtime = sharedRuntime();
    const { bundle, short } = bundlesOf(runtime);
    const commands = commandsOf(bundle, short)[name];
    assert.ok(commands !== undefined);
    const create = ["create", "--bundle", bundle, ID];
    const { points, total, findings } = await runSweep(sweptBy(runtime), {
      ...sweep,
      ...commands,
      exitNever: LESS,
      ...(all ? {} : { pointsMost: SAMPLE_POINTS }),
      next: [DELETE, create, DELETE],
      leaving: [create],
    });
    t.diagnostic(`${points} points of ${total} system calls, ${findings.length} with something wrong`);
    if (findings.length > 0) assert.fail(findings.slice(0, FINDINGS_SHOWN).map(describe).join("\n"));
    assert.ok(points > 0, "nothing was killed");
  });
}

for (const name of ["create", "start", "run", "exec", "detached exec", "kill", "delete"]) {
  const all = { process: "all", act: { kill: "all" } } as const;
  sweepTest(`${name} killed with its children leaves nothing`, name, { ...all, at: "entry" }, FULL);
  if (FULL)
    sweepTest(`${name} killed with its children after a call leaves nothing`, name, { ...all, at: "exit" }, true);
  const one = { process: 1, at: "entry", act: { kill: "one" } } as const;
  sweepTest(`${name} killed alone leaves nothing`, name, one, FULL);
  if (["create", "run", "exec"].includes(name)) {
    const child = { process: 2, at: "entry", act: { kill: "one" } } as const;
    sweepTest(`${name} whose child is killed leaves nothing`, name, child, FULL);
  }
}

if (ERRORS) {
  for (const name of ["create", "start", "run", "exec", "kill", "delete"]) {
    for (const errno of ["EINTR", "ENOMEM", "ENOSPC", "EMFILE", "EIO", "EAGAIN", "ENOSYS"] as const) {
      const act = { inject: constants.errno[errno] };
      const title = `${errno} at any system call of ${name} ends in success or an error, and leaves nothing`;
      sweepTest(title, name, { process: "all", at: "entry", act }, true);
    }
  }
}

test("the program of the sweep sees that it is confined, and would tell if it were not", async () => {
  const runtime = sharedRuntime();
  const { bundle, short } = bundlesOf(runtime);
  const first = await runtime.call(["run", "--bundle", short, ID]);
  assert.equal(first.status, 0, first.stderr + first.stdout);
  await runtime.must(["create", "--bundle", bundle, ID]);
  await runtime.must(["start", ID]);
  const second = await runtime.call(["exec", ID, ...CHECK]);
  assert.equal(second.status, 0, second.stderr + second.stdout);
  const less = await runtime.call(["exec", "--cap", "CAP_SYS_TIME", ID, ...CHECK]);
  assert.equal(less.status, LESS);
  await removeAll(runtime);
});
