/** Commands of the OCI face on one container at once: whatever the order, nothing is left, and nothing hangs. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, start } from "./harness.ts";
import { makeRoot } from "./hostile.ts";
import { cgroupsPathOf, makeBundle, oci, remove, removeAll, stateOf } from "./oci-bundles.ts";

const ROUNDS = 40;
const CREATES = 4;
/** Nothing else may come out of it. */
const FORESEEN =
  /already exists|does not exist|already running|has stopped|not running|ended while it was made|not stopped|cgroup is not empty|^$/;

const succeeded = (outcomes: readonly Outcome[]) => outcomes.filter(({ status }) => status === 0).length;

function assertForeseen(outcomes: readonly Outcome[]): void {
  for (const { stderr } of outcomes) assert.match(stderr, FORESEEN);
}

oci("creates of one id and a forced delete at once leave one container or none", async (runtime, t) => {
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"]);
  let made = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const creates = Array.from({ length: CREATES }, () => runtime.start(["create", "--bundle", bundle, "raced"]).ended);
    const outcomes = await Promise.all([...creates, runtime.start(["delete", "--force", "raced"]).ended]);
    assertForeseen(outcomes);
    made += succeeded(outcomes.slice(0, CREATES));
    await runtime.must(["delete", "--force", "raced"]);
    assert.ok(!existsSync(join(runtime.root, "raced")), `round ${round}`);
  }
  t.diagnostic(`${ROUNDS} rounds of ${CREATES} creates made ${made} containers`);
  assert.ok(made >= ROUNDS / 2);
});

oci("of starts at once one succeeds, and the program runs once", async (runtime) => {
  const root = makeRoot(runtime);
  const bundle = makeBundle(runtime, ["/bin/sh", "-c", "echo run >>/runs; exec sleep 1000"], {}, root);
  for (let round = 0; round < ROUNDS / 2; round++) {
    await runtime.must(["create", "--bundle", bundle, "raced"]);
    const outcomes = await Promise.all(Array.from({ length: CREATES }, () => runtime.call(["start", "raced"])));
    assertForeseen(outcomes);
    assert.equal(succeeded(outcomes), 1, JSON.stringify(outcomes));
    assert.equal((await stateOf(runtime, "raced")).status, "running");
    await remove(runtime, "raced");
  }
});

oci("a start and a kill at once end with a container that has been killed", async (runtime) => {
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"]);
  for (let round = 0; round < ROUNDS / 2; round++) {
    await runtime.must(["create", "--bundle", bundle, "raced"]);
    const { pid } = await stateOf(runtime, "raced");
    const [started, killed] = await Promise.all([
      runtime.call(["start", "raced"]),
      runtime.call(["kill", "raced", "KILL"]),
    ]);
    assertForeseen([started, killed]);
    assert.equal(killed.status, 0, killed.stderr);
    await ended(runtime.directory, pid);
    assert.equal((await stateOf(runtime, "raced")).status, "stopped");
    await runtime.must(["delete", "raced"]);
  }
});

/** Waits until a process has ended: signals come to it in time, but not at once. */
async function ended(directory: string, pid: number): Promise<void> {
  await start(directory, ["tail", "--pid", String(pid), "-f", "/dev/null"]).ended;
}

oci("pauses of a container that is removed never have the next one of its id stand still", async (runtime) => {
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"]);
  const run = ["run", "--detach", "--bundle", bundle, "raced"];
  for (let round = 0; round < ROUNDS; round++) {
    await runtime.must(run);
    const removed = runtime.must(["delete", "--force", "raced"]);
    const pauses = Array.from({ length: CREATES }, () => runtime.call(["pause", "raced"]));
    const again = [removed.then(() => runtime.call(run)), runtime.call(run)];
    const outcomes = await Promise.all([...pauses, ...again]);
    for (const { stderr } of outcomes) assert.match(stderr, FORESEEN);
    await remove(runtime, "raced");
  }
});

oci("a start, an exec and a forced delete at once leave nothing", async (runtime) => {
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"]);
  for (let round = 0; round < ROUNDS / 2; round++) {
    await runtime.must(["create", "--bundle", bundle, "raced"]);
    await Promise.all([
      runtime.call(["start", "raced"]),
      runtime.call(["exec", "raced", "/bin/true"]),
      runtime.call(["exec", "--detach", "raced", "/bin/sleep", "1000"]),
      runtime.must(["delete", "--force", "raced"]),
    ]);
    assert.ok(!existsSync(join(runtime.root, "raced")), `round ${round}`);
  }
});

oci("containers of one cgroup made at once leave the one that has it alone", async (runtime) => {
  const bundle = makeBundle(runtime, ["/bin/sleep", "1000"], { linux: { cgroupsPath: cgroupsPathOf("raced") } });
  for (let round = 0; round < ROUNDS / 4; round++) {
    const ids = Array.from({ length: CREATES }, (_, index) => `raced-${index}`);
    const outcomes = await Promise.all(ids.map((id) => runtime.call(["create", "--bundle", bundle, id])));
    assert.ok(succeeded(outcomes) >= 1, JSON.stringify(outcomes));
    for (const [index, { status }] of outcomes.entries()) {
      if (status === 0)
        assert.equal((await stateOf(runtime, `raced-${index}`)).status, "created", JSON.stringify(outcomes));
    }
    await removeAll(runtime);
  }
});

const ANNOTATION_BYTES = 300_000;

oci("removing a container that has stopped leaves the one that has its cgroup by now alone", async (runtime) => {
  const change = { linux: { cgroupsPath: cgroupsPathOf("inherited") } };
  for (const id of ["former", "heir"]) {
    await runtime.must(["create", "--bundle", makeBundle(runtime, ["/bin/sleep", "1000"], change), id]);
    await runtime.must(["start", id]);
    if (id === "former") {
      const { pid } = await stateOf(runtime, id);
      await runtime.must(["kill", id, "KILL"]);
      await ended(runtime.directory, pid);
    }
  }
  await runtime.must(["delete", "former"]);
  assert.equal((await stateOf(runtime, "heir")).status, "running");
  await remove(runtime, "heir");
});

oci("hooks are told of annotations of any length", async (runtime) => {
  const annotations = { long: "x".repeat(ANNOTATION_BYTES) };
  const count = (place: string) => ({ path: "/bin/sh", args: ["sh", "-c", `wc -c >${place}`] });
  const root = makeRoot(runtime);
  const kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
  const hooks = Object.fromEntries(
    kinds.map((kind) => [kind, [count(kind === "startContainer" ? `/${kind}` : join(runtime.directory, kind))]]),
  );
  await runtime.must([
    "create",
    "--bundle",
    makeBundle(runtime, ["/bin/true"], { annotations, hooks }, root),
    "hooked",
  ]);
  await runtime.must(["start", "hooked"]);
  await runtime.must(["delete", "--force", "hooked"]);
  for (const kind of kinds) {
    const place = join(kind === "startContainer" ? root : runtime.directory, kind);
    assert.ok(Number(readFileSync(place, "utf8")) > ANNOTATION_BYTES, kind);
  }
});
