import assert from "node:assert/strict";
import { test } from "node:test";
import {
  declareArguments,
  type Given,
  globalArguments,
  lookupIn,
  predefinedArguments,
  runArguments,
  type StageScope,
  unusedArguments,
} from "../../../src/build/arguments.ts";
import { parseDockerfile } from "../../../src/build/parse-dockerfile.ts";

const LINUX = { os: "linux", architecture: "amd64", variant: "" };
const ARM = { os: "linux", architecture: "arm", variant: "v7" };

function givenOf(values: Readonly<Record<string, string>> = {}): Given {
  return { values, predefined: predefinedArguments({ build: LINUX, target: ARM }, undefined) };
}

/** What ARGs of the last stage make, and the globals, as `name=value`; `name` where there is no value. */
function argsOf(text: string, given: Given, env: Readonly<Record<string, string>> = {}) {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const globals = globalArguments(dockerfile, given);
  let scope: StageScope = { args: new Map(), env: new Map(Object.entries(env)) };
  for (const instruction of dockerfile.stages.at(-1)?.instructions ?? []) {
    assert.equal(instruction.kind, "arg");
    if (instruction.kind !== "arg") continue;
    scope = { ...scope, args: declareArguments(instruction, scope, globals, given, dockerfile.escape) };
  }
  const show = (map: ReadonlyMap<string, string | undefined>) =>
    [...map]
      .filter(([name]) => !given.predefined.has(name))
      .map(([name, value]) => (value === undefined ? name : `${name}=${value}`));
  return { globals, scope, stage: show(scope.args), before: show(globals) };
}

test("defaults count if nothing is given", () => {
  const text = "FROM x\nARG a=1 b c=";
  assert.deepEqual(argsOf(text, givenOf()).stage, ["a=1", "b", "c="]);
  assert.deepEqual(argsOf(text, givenOf({ a: "2", b: "3", c: "4", d: "5" })).stage, ["a=2", "b=3", "c=4"]);
});

test("a default sees what is before it, of the same instruction too", () => {
  assert.deepEqual(argsOf('ARG a=1 b="$a 2"\nFROM x\nARG b c=${b}3', givenOf()).stage, ["b=1 2", "c=1 23"]);
  assert.deepEqual(argsOf("FROM x\nARG a=1 b=$a", givenOf({ a: "9" })).stage, ["a=9", "b=9"]);
});

test("a default that is not used is not looked at", () => {
  assert.deepEqual(argsOf('FROM x\nARG a="${b:?no b}"', givenOf({ a: "1" })).stage, ["a=1"]);
  assert.throws(() => argsOf('FROM x\nARG a="${b:?no b}"', givenOf()), /line 2: ARG: b: no b/);
});

test("what is before the first FROM is seen in a stage after ARG, if that has no default", () => {
  const text = "ARG a=1 b=2 c\nFROM x\nARG a\nARG b=3";
  const { stage, before, scope } = argsOf(text, givenOf({ c: "4" }));
  assert.deepEqual(
    [before, stage],
    [
      ["a=1", "b=2", "c=4"],
      ["a=1", "b=3"],
    ],
  );
  assert.equal(lookupIn(scope)("c"), undefined);
});

test("the last of several ARGs of a name counts", () => {
  assert.deepEqual(argsOf("FROM x\nARG a=1\nARG a=2", givenOf()).stage, ["a=2"]);
});

test("ENV counts before ARG of the same name", () => {
  const { scope } = argsOf("FROM x\nARG a=1 b=$a", givenOf({ a: "2" }), { a: "env" });
  assert.equal(lookupIn(scope)("a"), "env");
  assert.equal(lookupIn(scope)("b"), "env");
  assert.deepEqual(runArguments(scope, givenOf()).seen, ["b=env"]);
});

test("platforms are there before the first FROM, and in a stage after ARG", () => {
  const { globals, scope } = argsOf(
    "ARG TARGETARCH\nARG BUILDOS=mine\nFROM x\nARG TARGETPLATFORM TARGETVARIANT BUILDARCH TARGETSTAGE",
    givenOf(),
  );
  assert.equal(globals.get("TARGETARCH"), "arm");
  assert.equal(globals.get("BUILDPLATFORM"), "linux/amd64");
  assert.equal(globals.get("BUILDOS"), "mine");
  const see = lookupIn(scope);
  const seen = ["TARGETPLATFORM", "TARGETVARIANT", "BUILDARCH", "TARGETSTAGE", "TARGETOS"].map(see);
  assert.deepEqual(seen, ["linux/arm/v7", "v7", "amd64", "default", undefined]);
  assert.equal(argsOf("FROM x\nARG TARGETARCH", givenOf({ TARGETARCH: "mine" })).scope.args.get("TARGETARCH"), "mine");
});

test("proxies are seen by programs without ARG, apart from what is cached", () => {
  const given = givenOf({ http_proxy: "p", NO_PROXY: "n", other: "o" });
  const scope = (text: string) => argsOf(text, given).scope;
  assert.deepEqual(runArguments(scope("FROM x"), given), { seen: [], proxies: ["http_proxy=p", "NO_PROXY=n"] });
  assert.deepEqual(runArguments(scope("FROM x\nARG http_proxy"), given), {
    seen: ["http_proxy=p"],
    proxies: ["NO_PROXY=n"],
  });
  assert.equal(lookupIn(scope("FROM x"))("http_proxy"), undefined);
});

test("arguments that no ARG takes are told", () => {
  const dockerfile = parseDockerfile("ARG a\nFROM x\nARG b", "Dockerfile");
  const values = { a: "", b: "", c: "", HTTP_PROXY: "", TARGETARCH: "", BUILDKIT_INLINE_CACHE: "1" };
  assert.deepEqual(unusedArguments(dockerfile, givenOf(values)), ["c"]);
});

test("a name that all objects have is not given by that", () => {
  assert.deepEqual(argsOf("FROM x\nARG toString", givenOf()).stage, ["toString"]);
});
