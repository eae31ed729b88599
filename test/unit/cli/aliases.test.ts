import assert from "node:assert/strict";
import { test } from "node:test";
import { aliasesOf, expandWith } from "../../../src/cli/aliases.ts";
import { registrySettingsOf } from "../../../src/cli/config-file.ts";
import { Failure } from "../../../src/failure.ts";
import { NO_SETTINGS } from "../../../src/registry/settings.ts";

const file = (aliases: unknown) => ({ path: "c.toml", data: { registries: { aliases } } });
const read = (aliases: unknown) => aliasesOf(file(aliases), new Map());

test("a short name stands for another one, with its tag or digest", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const expand = expandWith(read({ mine: "registry.local:5000/team/mine", "team/app": "other.example/app" }));
  const names = {
    mine: "registry.local:5000/team/mine",
    "mine:1.0": "registry.local:5000/team/mine:1.0",
    [`mine@${digest}`]: `registry.local:5000/team/mine@${digest}`,
    [`mine:1@${digest}`]: `registry.local:5000/team/mine:1@${digest}`,
    "team/app": "other.example/app",
    mines: "mines",
    "other/mine": "other/mine",
    "localhost:5000/mine": "localhost:5000/mine",
  };
  for (const [name, meant] of Object.entries(names)) assert.equal(expand(name), meant);
});

test("files of short names add to each other, and are not in the way of other settings", () => {
  const both = aliasesOf(file({ b: "x/b" }), read({ a: "x/a", b: "y/b" }));
  assert.deepEqual(
    [...both],
    [
      ["a", "x/a"],
      ["b", "x/b"],
    ],
  );
  assert.deepEqual(registrySettingsOf(file({ a: "x/a" }), NO_SETTINGS), NO_SETTINGS);
  assert.equal(aliasesOf({ path: "", data: {} }, both).size, 2);
});

test("what is no short name, or stands for no name, is refused", () => {
  for (const name of ["a:1", "a.example/b", "localhost/b", "A", "", "a@b", "docker.io/library/a"]) {
    assert.throws(() => read({ [name]: "x/a" }), Failure, name);
  }
  for (const target of ["x/a:1", "", 1, "X/A", `x@sha256:${"0".repeat(64)}`]) {
    assert.throws(() => read({ a: target }), Failure, String(target));
  }
  assert.throws(() => read([]), Failure);
});
