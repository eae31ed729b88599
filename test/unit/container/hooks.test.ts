import assert from "node:assert/strict";
import { test } from "node:test";
import { hookState } from "../../../src/container/hook-state.ts";
import { failureOfHooks, hookFailure, runHooks } from "../../../src/container/hooks.ts";

const hook = { path: "/bin/hook", timeout: 2 };
const told = {
  ending: { kind: "exited", status: 0 } as const,
  timedOut: false,
  refused: 0,
  stdout: "one\n",
  stderr: "two\n",
};

test("a hook that exits with 0 has not failed, whatever it said", () => {
  assert.equal(hookFailure(hook, told), undefined);
});

test("a failed hook is told by its status and what it said", () => {
  assert.equal(
    hookFailure(hook, { ...told, ending: { kind: "exited", status: 3 } }),
    "exit status 3, stdout: one, stderr: two",
  );
});

test("a hook that was killed is told by the signal", () => {
  assert.equal(
    hookFailure(hook, { ...told, ending: { kind: "killed", signal: 15 } }),
    "signal: SIGTERM (terminated), stdout: one, stderr: two",
  );
});

test("a hook that ran too long is told by its timeout, not by the signal that ended it", () => {
  const killed = { ...told, ending: { kind: "killed", signal: 9 } as const, timedOut: true };
  assert.equal(hookFailure(hook, killed), "hook ran past specified timeout of 2.0s");
});

test("a hook that could not be executed is told by its path and why", () => {
  const refused = { ...told, ending: { kind: "exited", status: 127 } as const, refused: 2 };
  assert.equal(hookFailure(hook, refused), "fork/exec /bin/hook: no such file or directory");
});

test("without hooks nothing is done", () => {
  runHooks("prestart", undefined, "{}", { onFailure: "throw", warn: assert.fail });
  runHooks("prestart", [], "{}", { onFailure: "throw", warn: assert.fail });
});

test("hooks after the end only warn", () => {
  assert.deepEqual(
    (["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const).map(
      failureOfHooks,
    ),
    ["throw", "throw", "throw", "throw", "throw", "warn"],
  );
});

test("a state has the specification's fields, without a pid where there is none", () => {
  const state = { ociVersion: "1.2.0", id: "x", status: "stopped", bundle: "/b" } as const;
  assert.equal(hookState({ ...state, pid: 0, annotations: {} }), JSON.stringify(state));
  assert.equal(
    hookState({ ...state, status: "running", annotations: { a: "b" }, pid: 7 }),
    '{"ociVersion":"1.2.0","id":"x","status":"running","pid":7,"bundle":"/b","annotations":{"a":"b"}}',
  );
});
