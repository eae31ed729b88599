import assert from "node:assert/strict";
import { test } from "node:test";
import { registrySettingsOf } from "../../../src/cli/config-file.ts";
import { serverOf } from "../../../src/cli/login.ts";
import { saidBy } from "../../../src/registry/client.ts";
import { helperFor, withoutRegistry } from "../../../src/registry/credentials.ts";
import { parseSecret } from "../../../src/registry/helpers.ts";
import { certificateDirectories, NO_SETTINGS, trustOf } from "../../../src/registry/settings.ts";

test("a directory of certificates has authorities, and a client's certificate with its key", () => {
  assert.deepEqual(trustOf("/d", ["b.crt", "a.crt", "me.cert", "me.key", "alone.cert"]), {
    authorities: ["/d/a.crt", "/d/b.crt"],
    client: { certificate: "/d/me.cert", key: "/d/me.key" },
  });
  assert.deepEqual(trustOf("/d", ["alone.cert"]), { authorities: [] });
});

test("the user's certificates come before the system's", () => {
  assert.deepEqual(certificateDirectories(["HOME=/h"]), [
    "/h/.config/containers/certs.d",
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ]);
  assert.equal(certificateDirectories([]).length, 2);
});

test("files of settings add to each other", () => {
  const first = registrySettingsOf(
    { path: "a", data: { registries: { timeout: 5, insecure: ["one:1"], mirrors: { "docker.io": ["m"], x: ["y"] } } } },
    NO_SETTINGS,
  );
  const both = registrySettingsOf(
    { path: "b", data: { registries: { insecure: ["two"], mirrors: { "docker.io": ["n:5000"] } } } },
    first,
  );
  assert.deepEqual(both.insecure, ["one:1", "two"]);
  assert.equal(both.timeoutMs, 5000);
  assert.deepEqual(
    [...both.mirrors],
    [
      ["docker.io", ["n:5000"]],
      ["x", ["y"]],
    ],
  );
});

test("what is no setting is refused, with the name of the file", () => {
  const read = (registries: object) => () => registrySettingsOf({ path: "c.toml", data: { registries } }, NO_SETTINGS);
  assert.throws(read({ insecure: "one" }), /c\.toml: registries\.insecure is no list/);
  assert.throws(read({ insecure: ["http://one"] }), /'http:\/\/one' is no host/);
  assert.throws(read({ insecure: [1] }), /is no host/);
  assert.throws(read({ mirrors: { a: ["b/c"] } }), /registries\.mirrors\."a": 'b\/c' is no host/);
  assert.throws(read({ timeout: 0 }), /registries\.timeout is no number of seconds from 1 to 3600/);
  assert.throws(read({ mirror: [] }), /unknown name 'mirror' in \[registries\]/);
});

test("a registry's own program comes before the one for all", () => {
  const content = { credsStore: "all", credHelpers: { "one.example": "own", "https://index.docker.io/v1/": "hub" } };
  assert.equal(helperFor(content, "one.example"), "own");
  assert.equal(helperFor(content, "docker.io"), "hub");
  assert.equal(helperFor(content, "else.example"), "all");
  assert.equal(helperFor({}, "__proto__"), undefined);
});

test("a registry is forgotten under all its names, and nothing else is", () => {
  const auths = { "docker.io": {}, "https://index.docker.io/v1/": {}, "a.example": { auth: "x" } };
  assert.deepEqual(withoutRegistry({ auths, other: 1 }, "docker.io"), {
    auths: { "a.example": { auth: "x" } },
    other: 1,
  });
});

test("a program's answer has a user and a secret", () => {
  assert.deepEqual(parseSecret('{"ServerURL":"s","Username":"u","Secret":"p"}'), { user: "u", secret: "p" });
  for (const text of ["", "[]", '{"Username":"u"}', '{"Username":1,"Secret":"p"}']) {
    assert.equal(parseSecret(text), undefined, text);
  }
});

test("a server may be given as a URL", () => {
  assert.equal(serverOf(undefined), "docker.io");
  assert.equal(serverOf("https://index.docker.io/v1/"), "docker.io");
  assert.equal(serverOf("http://localhost:5000/"), "localhost:5000");
  assert.equal(serverOf("[::1]:5000"), "[::1]:5000");
  for (const text of ["", "a b", "x:y", "a@b"]) assert.throws(() => serverOf(text), /is no registry/, text);
});

test("what a registry says of an error comes without what a terminal would obey", () => {
  const body = (text: string) => ({ body: new TextEncoder().encode(text) });
  assert.equal(saidBy(body('{"errors":[{"message":"a\\u001b[2Jb"},{"code":"DENIED"}]}')), "a [2Jb; DENIED");
  assert.equal(saidBy(body('{"errors":"x"}')), "");
  assert.equal(saidBy(body("<html>")), "");
});
