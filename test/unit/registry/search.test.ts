import assert from "node:assert/strict";
import { test } from "node:test";
import { searchOf } from "../../../src/cli/search.ts";
import { Failure } from "../../../src/failure.ts";
import { foundIn, namesIn } from "../../../src/registry/search.ts";

test("an answer to a search has images, on one line each and without what a terminal would obey", () => {
  const results = [
    { name: "alpine", description: "small\n\u001b[31mred", star_count: 7, is_official: true, is_automated: false },
    { name: "team/app", description: null },
    { name: "../x" },
    { name: "Upper" },
    { name: `a${"/a".repeat(200)}` },
    "nothing",
  ];
  assert.deepEqual(foundIn({ results }), [
    { name: "alpine", description: "small [31mred", stars: 7, isOfficial: true, isAutomated: false },
    { name: "team/app", description: "", stars: 0, isOfficial: false, isAutomated: false },
  ]);
  for (const other of [undefined, [], {}, { results: {} }]) assert.equal(foundIn(other), undefined);
});

test("a list of repositories has names, and nothing else", () => {
  assert.deepEqual(namesIn({ repositories: ["a", "b/c", 1, "../d", "E"] }), ["a", "b/c"]);
  for (const other of [undefined, null, {}, { repositories: "a" }]) assert.equal(namesIn(other), undefined);
});

test("a term may begin with a registry, and is docker.io's without one", () => {
  assert.deepEqual(searchOf("Alpine"), { domain: "docker.io", words: "alpine" });
  assert.deepEqual(searchOf("team/app"), { domain: "docker.io", words: "team/app" });
  assert.deepEqual(searchOf("quay.example/team/app"), { domain: "quay.example", words: "team/app" });
  assert.deepEqual(searchOf("localhost:5000/x"), { domain: "localhost:5000", words: "x" });
  for (const nothing of ["", "quay.example/", "x".repeat(300)]) assert.throws(() => searchOf(nothing), Failure);
});
