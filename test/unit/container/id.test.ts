import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { idBase } from "../../../src/container/id.ts";

test("an id begins with the image's base name, in small letters", () => {
  assert.equal(idBase("alpine"), "alpine");
  assert.equal(idBase("My_App.v2"), "my-app-v2");
});

test("what of a name cannot be in a host name is left out", () => {
  assert.equal(idBase("--a--"), "a");
  assert.equal(idBase("___"), "container");
  assert.equal(idBase(""), "container");
});

test("whatever the image's name, the id is a host name", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (name) => {
      const id = `${idBase(name)}-c4a2f1`;
      assert.match(id, /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
      assert.ok(id.length <= 63);
    }),
  );
});
