import assert from "node:assert/strict";
import { test } from "node:test";
import { filesFor, parseCredentials } from "../../../src/registry/credentials.ts";

const FILE = JSON.stringify({
  auths: {
    "https://index.docker.io/v1/": { auth: "aHViOnB3" },
    "registry.example:5000": { auth: "dTpw", identitytoken: "refresh" },
    "https://old.example/v2/": { auth: "b2xk" },
    "empty.example": {},
    "broken.example": { auth: "no base64\r\n" },
  },
});
const find = (domain: string) => parseCredentials(FILE, domain, "config.json");

test("a registry's credentials are found under the names that it has in such files", () => {
  assert.deepEqual(find("docker.io"), { basic: "aHViOnB3", refreshToken: undefined });
  assert.deepEqual(find("registry.example:5000"), { basic: "dTpw", refreshToken: "refresh" });
  assert.equal(find("old.example")?.basic, "b2xk");
  for (const none of ["registry.example", "empty.example", "constructor", "evil.example"])
    assert.equal(find(none), undefined);
});

test("a file that is damaged is told", () => {
  assert.throws(() => find("broken.example"), /config.json: the 'auth' of 'broken.example' is not base64/);
  assert.throws(() => parseCredentials("{", "a.example", "/x/auth.json"), /\/x\/auth.json is not JSON/);
  assert.equal(parseCredentials("[]", "a.example", "f"), undefined);
});

test("files are asked in the order of podman and docker, and one that is named alone", () => {
  assert.deepEqual(filesFor(["HOME=/home/u", "XDG_RUNTIME_DIR=/run/u"]), [
    "/run/u/containers/auth.json",
    "/home/u/.docker/config.json",
  ]);
  assert.deepEqual(filesFor(["HOME=/h", "DOCKER_CONFIG=/d"]), ["/d/config.json"]);
  assert.deepEqual(filesFor(["REGISTRY_AUTH_FILE=/a.json", "DOCKER_CONFIG=/d"]), ["/a.json"]);
});
