import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyFor } from "../../../src/registry/proxy.ts";

const ENVIRONMENT = [
  "HTTPS_PROXY=proxy.example:3128",
  "http_proxy=http://u:p@other.example:80",
  "NO_PROXY=in.example,.corp, one:5000",
];

test("a URL goes through the proxy of its scheme", () => {
  assert.equal(proxyFor("https://registry.example/v2/", ENVIRONMENT), "http://proxy.example:3128");
  assert.equal(proxyFor("http://registry.example/v2/", ENVIRONMENT), "http://u:p@other.example:80");
  assert.equal(proxyFor("https://registry.example/v2/", []), undefined);
});

test("what NO_PROXY names is asked directly, with all that lies below it", () => {
  for (const host of ["in.example", "a.in.example:444", "x.corp", "one:5000", "IN.example"]) {
    assert.equal(proxyFor(`https://${host}/`, ENVIRONMENT), undefined, host);
  }
  for (const host of ["notin.example", "one:5001", "in.example.org"]) {
    assert.notEqual(proxyFor(`https://${host}/`, ENVIRONMENT), undefined, host);
  }
  assert.equal(proxyFor("https://a.example/", ["HTTPS_PROXY=p:1", "no_proxy=*"]), undefined);
});

test("the machine itself is never asked through a proxy", () => {
  for (const host of ["localhost:5000", "127.0.0.1", "[::1]:5000"]) {
    assert.equal(proxyFor(`http://${host}/`, ENVIRONMENT), undefined, host);
  }
  assert.notEqual(proxyFor("http://127.evil.example/", ENVIRONMENT), undefined);
});
