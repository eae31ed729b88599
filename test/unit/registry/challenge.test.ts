import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "../../../src/registry/challenge.ts";

const plain = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test("a challenge is a scheme and its parameters", () => {
  const header =
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull,push"';
  assert.deepEqual(plain(header), [
    ["bearer", { realm: "https://auth.example/token", service: "registry.example", scope: "repository:a/b:pull,push" }],
  ]);
});

test("several challenges stand in one header, and values may be without quotes", () => {
  assert.deepEqual(plain('Basic realm=one, BEARER Realm = "t\\"wo" , Negotiate'), [
    ["basic", { realm: "one" }],
    ["bearer", { realm: 't"wo' }],
    ["negotiate", {}],
  ]);
});

test("what cannot be read ends the list", () => {
  assert.deepEqual(plain(""), []);
  assert.deepEqual(plain('Basic realm="open'), [["basic", {}]]);
  assert.deepEqual(plain(`Basic ${"a".repeat(9000)}`), []);
});

test("no text breaks it, or keeps it from ending", () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseChallenges(text))));
  fc.assert(fc.property(fc.stringMatching(/^[Bb="\\, ]*$/), (text) => Array.isArray(parseChallenges(text))));
});
