import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "smol-toml";
import { defaultsOf } from "../../../src/cli/defaults.ts";
import { Failure } from "../../../src/failure.ts";

const read = (text: string) => defaultsOf(parse(text), "config.toml");

test("a file says what is different from what is built in, and nothing else", () => {
  assert.deepEqual(read(""), {});
  assert.deepEqual(read('[defaults]\nmemory = "1g"'), { memoryBytes: 1024 ** 3 });
});

test("quantities are written as on the command line", () => {
  assert.deepEqual(read('[defaults]\nmemory = 0\ncpus = 1.5\npids-limit = 100\nshm-size = "1m"\nstop-timeout = 3'), {
    memoryBytes: 0,
    cpus: 1.5,
    pids: 100,
    shmSizeBytes: 1024 ** 2,
    stopTimeoutSeconds: 3,
  });
});

test("values of other types are refused, with the name of the file", () => {
  for (const value of ["true", "[512]", "{ a = 1 }", "2020-01-01"])
    assert.throws(() => read(`[defaults]\nmemory = ${value}`), /config\.toml: memory is neither/, value);
});

test("values that are no quantities are refused, with the name of the file", () => {
  const bad = [
    'memory = "12q"',
    "memory = 1",
    "cpus = -1",
    "cpus = nan",
    "pids-limit = 1.5",
    'shm-size = "x"',
    "stop-timeout = -1",
  ];
  for (const line of bad) assert.throws(() => read(`[defaults]\n${line}`), /config\.toml/, line);
});

test("unknown names and sections are refused", () => {
  assert.throws(() => read("[defaults]\nmemry = 1"), /unknown name 'memry' in \[defaults\]/);
  assert.throws(() => read("[default]\nmemory = 1"), /unknown section 'default'/);
  assert.throws(() => read("memory = 1"), /unknown section 'memory'/);
  assert.throws(() => read("[[defaults]]\nmemory = 1"), Failure);
});
