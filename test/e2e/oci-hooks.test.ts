/**
 * Hooks of all six kinds: when and where they run, what they are told, and what their failures mean.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { type Json, oci, type Runtime } from "./bundles.ts";

/** A hook that notes its name, the status and pid it is told, and its namespaces. */
function noting(place: string, name: string): Json {
  const script = `state=$(cat); for ns in mnt pid net; do set -- "$@" $(readlink /proc/self/ns/$ns); done
    echo "${name} $WORD $@ $state" >> ${place}/notes`;
  return { path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin", "WORD=w"], timeout: 20 };
}

interface Note {
  name: string;
  word: string;
  namespaces: string[];
  state: Json;
}

function notes(place: string): Note[] {
  const text = readFileSync(join(place, "notes"), "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [name = "", word = "", ...namespaces] = line.slice(0, line.indexOf("{")).trim().split(" ");
      return { name, word, namespaces, state: JSON.parse(line.slice(line.indexOf("{"))) };
    });
}

/** A directory that has the same path on the host and in containers. */
function sharedPlace(runtime: Runtime): { place: string; mount: Json } {
  const place = mkdtempSync(join(runtime.directory, "hooks-"));
  return { place, mount: { destination: place, source: place, options: ["bind"] } };
}

oci("hooks run in their order and places, and are told the state of the container", async (runtime) => {
  const { place, mount } = sharedPlace(runtime);
  const kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
  const hooks = Object.fromEntries(kinds.map((kind) => [kind, [noting(place, kind), noting(place, `${kind}-2`)]]));
  const bundle = runtime.bundle({ moreMounts: [mount], top: { hooks, annotations: { "org.example.a": "b" } } });
  const id = runtime.newId();
  await runtime.must(["create", "--bundle", bundle, id]);
  const { pid } = await runtime.state(id);
  const own = ["mnt", "pid", "net"].map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`));
  const ours = ["mnt", "pid", "net"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
  await runtime.must(["start", id]);
  await runtime.remove(id);

  const found = notes(place);
  assert.deepEqual(
    found.map(({ name }) => name),
    kinds.flatMap((kind) => [kind, `${kind}-2`]),
  );
  for (const { name, word, namespaces, state } of found) {
    const [kind = ""] = name.split("-");
    const isInside = ["createContainer", "startContainer"].includes(kind);
    assert.deepEqual(namespaces, isInside ? own : ours, name);
    assert.equal(word, "w");
    assert.equal(state["id"], id);
    assert.equal(state["bundle"], bundle);
    assert.deepEqual(state["annotations"], { "org.example.a": "b" });
    const status = { startContainer: "created", poststart: "running", poststop: "stopped" }[kind] ?? "creating";
    assert.equal(state["status"], status, name);
    if (kind !== "poststop") assert.equal(state["pid"], pid, name);
  }
});

oci("a hook that fails before the program keeps it from running, and what was made is undone", async (runtime) => {
  const { place, mount } = sharedPlace(runtime);
  const failing = { path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 5"], env: ["PATH=/bin"] };
  for (const kind of ["prestart", "createRuntime", "createContainer", "startContainer"]) {
    const hooks = { [kind]: [failing], poststop: [noting(place, kind)] };
    const script = `echo ran > ${place}/ran`;
    const { status, stderr } = await runtime.run({ script, moreMounts: [mount], top: { hooks } });
    assert.equal(status, 1, kind);
    assert.match(stderr, new RegExp(`${kind}.*exit status 5`), kind);
    assert.match(stderr, /why/, kind);
  }
  assert.ok(!existsSync(join(place, "ran")));
  assert.equal(await runtime.must(["list", "-q"]), "");
  assert.deepEqual(
    notes(place).map(({ name }) => name),
    ["prestart", "createRuntime", "createContainer", "startContainer"],
    "poststop runs for what failed",
  );
});

oci("a hook that takes longer than its time is killed, and is a failure", async (runtime) => {
  const slow = { path: "/bin/sh", args: ["sh", "-c", "exec sleep 100"], env: ["PATH=/bin"], timeout: 1 };
  const { status, stderr } = await runtime.run({ top: { hooks: { createRuntime: [slow] } } });
  assert.equal(status, 1);
  assert.match(stderr, /createRuntime.*(timeout|timed out|within 1)/i);
});

oci("a hook that is not there is told by its path", async (runtime) => {
  for (const kind of ["createRuntime", "startContainer"]) {
    const { status, stderr } = await runtime.run({ top: { hooks: { [kind]: [{ path: "/no/such-hook" }] } } });
    assert.equal(status, 1);
    assert.match(stderr, /\/no\/such-hook.*no such file/i);
  }
  const { stderr } = await runtime.run({ top: { hooks: { poststart: [{ path: "relative" }] } } });
  assert.match(stderr, /relative/);
});

oci("a poststart hook that fails ends the container: run removes it, start leaves it stopped", async (runtime) => {
  const place = mkdtempSync(join(runtime.directory, "poststart-"));
  const hooks = { poststart: [{ path: "/bin/true" }, { path: "/bin/false" }], poststop: [noting(place, "poststop")] };
  for (const detach of [[], ["--detach"]]) {
    const ran = await runtime.call(["run", ...detach, "--bundle", runtime.bundle({ top: { hooks } }), runtime.newId()]);
    assert.equal(ran.status, 1, detach[0]);
    assert.match(ran.stderr, /error running poststart hook #1: exit status 1/);
  }
  assert.equal(await runtime.must(["list", "-q"]), "");
  assert.equal(notes(place).length, 2, "poststop runs for both");
  const id = runtime.newId();
  await runtime.must(["create", "--bundle", runtime.bundle({ top: { hooks } }), id]);
  const { status, stderr } = await runtime.call(["start", id]);
  assert.equal(status, 1);
  assert.match(stderr, /error running poststart hook #1: exit status 1/);
  assert.equal((await runtime.state(id)).status, "stopped");
  await runtime.remove(id);
});

oci("a startContainer hook without an environment has the program's", async (runtime) => {
  const hook = { path: "/bin/sh", args: ["sh", "-c", "echo hook $ONE $HOME"] };
  const named = { path: "/bin/sh", args: ["sh", "-c", "echo named [$ONE] $TWO"], env: ["PATH=/bin", "TWO=2"] };
  for (const { path, args, env } of [hook, named].map((one) => ({ env: undefined, ...one }))) {
    // What a hook says is told when it fails.
    const failing = { path, args: [args[0], args[1], `${args[2]} >&2; exit 3`], ...(env === undefined ? {} : { env }) };
    const process = { args: ["true"], env: ["PATH=/bin", "ONE=two"] };
    const { status, stderr } = await runtime.run({ process, top: { hooks: { startContainer: [failing] } } });
    assert.equal(status, 1);
    assert.match(stderr, env === undefined ? /hook two \// : /named \[\] 2/);
  }
});

oci("a poststop hook that fails does not keep the container from going", async (runtime) => {
  const id = await runtime.detached({ top: { hooks: { poststop: [{ path: "/bin/false" }] } } });
  const { status, stderr } = await runtime.call(["delete", "--force", id]);
  assert.equal(status, 0, stderr);
  assert.match(stderr, /poststop/);
  assert.equal((await runtime.call(["state", id])).status, 1);
});
