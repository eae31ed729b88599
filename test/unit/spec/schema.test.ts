import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../src/failure.ts";
import { assertFits, misfitOf, type Tally } from "../../../src/spec/fits.ts";
import { stringifyExact } from "../../../src/spec/json.ts";
import { showPath } from "../../../src/spec/json-path.ts";
import { parseConfig } from "../../../src/spec/parse-config.ts";
import { spec } from "../../../src/spec/schema.ts";
import { seccomp } from "../../../src/spec/schema-seccomp.ts";
import type { Shape } from "../../../src/spec/shape.ts";
import { fitting, least, places, withValue } from "./values.ts";

const exact = (): Tally => ({ exact: true, members: 0, doubtful: false });
const fieldsOf = places(spec);

function messageOf(value: unknown): string {
  return messageOfText(stringifyExact(value));
}

function messageOfText(json: string): string {
  try {
    parseConfig(json);
    return "";
  } catch (error) {
    assert.ok(error instanceof Failure, `${error}`);
    return error.message;
  }
}

/** Of each kind of JSON one value, but for those that fit. */
function wrongValues(shape: Shape): unknown[] {
  const inner = shape.is === "default" ? shape.inner : shape;
  const all: [kinds: Shape["is"][], value: unknown][] = [
    [["text"], "12m"],
    [["flag"], true],
    [["integer", "wide integer"], 1],
    [[], 1.5],
    [[], 1e300],
    [["list"], []],
    [["map", "object"], {}],
  ];
  return all.filter(([kinds]) => !kinds.includes(inner.is)).map(([, value]) => value);
}

const expectation = (shape: Shape): string => {
  switch (shape.is) {
    case "text":
      return "a string";
    case "flag":
      return "true or false";
    case "word":
      return `one of ${shape.words.join(", ")}`;
    case "list":
      return "an array";
    case "default":
      return expectation(shape.inner);
    case "integer":
    case "wide integer":
      return "an integer";
    case "map":
    case "object":
      return "an object";
  }
};

test("the schema has all the places of the specification", () => {
  assert.equal(new Set(fieldsOf.map(({ path }) => path.join("\n"))).size, fieldsOf.length);
  assert.ok(fieldsOf.length > 250, `${fieldsOf.length}`);
});

test("a value of a wrong type is an error with its path, at every field", () => {
  for (const { path, shape } of fieldsOf) {
    for (const wrong of wrongValues(shape)) {
      const message = messageOf(withValue(spec, path, wrong));
      const start = `config.json: ${showPath(path)}: expected ${expectation(shape)}`;
      assert.ok(message.startsWith(start), `${start} | ${message}`);
    }
  }
});

test("null is as if the field were missing, at every field; in lists and maps it is wrong", () => {
  for (const { path, shape, presence } of fieldsOf) {
    const message = messageOf(withValue(spec, path, null));
    const shown = showPath(path);
    if (presence === "required") assert.equal(message, `config.json: ${shown} is missing`);
    else if (presence === "element")
      assert.equal(message, `config.json: ${shown}: expected ${expectation(shape)}, got null`);
    else assert.equal(message, "", shown);
  }
});

test("a required field that is missing is told with its path", () => {
  for (const { path, presence } of fieldsOf.filter((place) => place.presence === "required")) {
    const message = messageOf(withValue(spec, path, undefined));
    assert.equal(message, `config.json: ${showPath(path)} is missing`, presence);
  }
});

test("a field that was null is not there afterwards", () => {
  const value = parseConfig('{"ociVersion":"1.2.0","hostname":null,"linux":{"resources":null,"rootfsPropagation":""}}');
  assert.deepEqual(value, { ociVersion: "1.2.0", linux: { rootfsPropagation: "" } });
});

test("a word that is empty counts as missing", () => {
  const value = parseConfig(
    '{"ociVersion":"1.2.0","linux":{"resources":{"devices":[{"allow":false,"type":"","access":"rwm"}]}}}',
  );
  assert.deepEqual(value.linux?.resources?.devices, [{ allow: false, access: "rwm" }]);
});

test("a process without a user, or a user without ids, is root", () => {
  for (const user of ["", ',"user":{}', ',"user":null', ',"user":{"uid":null}']) {
    const { process } = parseConfig(`{"ociVersion":"1.2.0","process":{"cwd":"/"${user}}}`);
    assert.deepEqual(process, { cwd: "/", user: { uid: 0, gid: 0 } });
  }
});

test("integers are checked to their last digit", () => {
  const limit = (digits: string) =>
    messageOfText(`{"ociVersion":"1","linux":{"resources":{"memory":{"limit":${digits}}}}}`);
  const most = (digits: string) =>
    messageOfText(`{"ociVersion":"1","process":{"cwd":"/","rlimits":[{"type":"R","soft":0,"hard":${digits}}]}}`);
  assert.equal(limit("9223372036854775807"), "");
  assert.equal(limit("-9223372036854775808"), "");
  assert.match(
    limit("9223372036854775808"),
    /limit: expected an integer from -9223372036854775808 to 9223372036854775807, got 9223372036854775808$/,
  );
  assert.match(limit("-9223372036854775809"), /got -9223372036854775809$/);
  assert.equal(most("18446744073709551615"), "");
  assert.match(
    most("18446744073709551616"),
    /rlimits\[0\]\.hard: expected an integer from 0 to 18446744073709551615, got 18446744073709551616$/,
  );
  assert.match(most("-1"), /got -1$/);
  assert.match(limit("1e30"), /got 1e\+30$/);
  assert.match(limit('"12m"'), /^config.json: linux.resources.memory.limit: expected an integer, got "12m"$/);
});

test("whatever is made from the schema passes, and comes out of its JSON as it was", () => {
  fc.assert(
    fc.property(fitting(spec), (value) => {
      assert.equal(misfitOf(spec, structuredClone(value), exact()), undefined);
      const json = stringifyExact(value);
      assert.equal(stringifyExact(parseConfig(json)), json);
    }),
    { numRuns: 200 },
  );
});

test("a shape that is not met is told at the top, too", () => {
  assert.throws(
    () => assertFits(seccomp, [], exact(), "profile"),
    new Failure("profile: expected an object, got an array"),
  );
  assert.equal(misfitOf(seccomp, least(seccomp), exact()), undefined);
});
